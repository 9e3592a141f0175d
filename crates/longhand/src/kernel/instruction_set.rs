//! Which vector instructions this processor has.

/// The instruction sets that have a path of their own, each with all its vectors need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum InstructionSet {
    /// Whatever the compiler was told of: no detection.
    #[default]
    Plain,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only the standard library can detect it"))]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only the standard library can detect it"))]
    Avx512,
}

impl InstructionSet {
    /// The best one here. The standard library remembers what it found, so this costs a load.
    pub(crate) fn best() -> InstructionSet {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return InstructionSet::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return InstructionSet::Avx2;
            }
        }
        InstructionSet::Plain
    }

    /// All that this processor can run, for tests that compare them.
    #[cfg(test)]
    pub(crate) fn available() -> alloc::vec::Vec<InstructionSet> {
        let mut sets = alloc::vec![InstructionSet::Plain];
        #[cfg(target_arch = "x86_64")]
        match InstructionSet::best() {
            InstructionSet::Avx512 => sets.extend([InstructionSet::Avx2, InstructionSet::Avx512]),
            InstructionSet::Avx2 => sets.push(InstructionSet::Avx2),
            InstructionSet::Plain => {}
        }
        sets
    }
}
