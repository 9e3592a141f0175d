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

/// Compiles the body of a function once for each instruction set and calls the best at run time. The loops are plain
/// Rust and mean the same everywhere, bit for bit: the compiler makes wider vectors of them, but reorders no sum and
/// fuses no product. A layer can write its own equations under it, element by element.
macro_rules! for_each_instruction_set {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident<$t:ident>($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $visibility fn $name<$t: $crate::Scalar>($($argument: $type),*) {
            #[allow(clippy::inline_always, reason = "it must end up inside the function with its instruction set")]
            #[inline(always)]
            fn body<$t: $crate::Scalar>($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512<$t: $crate::Scalar>($($argument: $type),*) {
                body($($argument),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2<$t: $crate::Scalar>($($argument: $type),*) {
                body($($argument),*);
            }
            match $crate::kernel::InstructionSet::best() {
                $crate::kernel::InstructionSet::Plain => body($($argument),*),
                // SAFETY: the instruction set was found on this processor.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::InstructionSet::Avx2 => unsafe { avx2($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::InstructionSet::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
    };
}
pub(crate) use for_each_instruction_set;
