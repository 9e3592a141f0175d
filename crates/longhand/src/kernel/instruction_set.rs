//! Which vector instructions this processor has, and kernels that are compiled for each of them.

use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use core::any::TypeId;

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
    /// 512-bit vectors, with all 32 registers for their shorter halves too (`VL`): without, the compiler keeps what may
    /// be stored in part in the first 16 registers, and has too few of them.
    #[cfg(target_arch = "x86_64")]
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only the standard library can detect it"))]
    Avx512,
}

impl InstructionSet {
    /// The best one here. The standard library remembers what it found, so this costs a load.
    #[inline]
    pub(crate) fn best() -> InstructionSet {
        #[cfg(test)]
        if let Some(forced) = FORCED.get() {
            return forced;
        }
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        {
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx512dq")
            {
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

#[cfg(test)]
std::thread_local! {
    /// What this thread takes for the best, for tests that compare instruction sets.
    static FORCED: core::cell::Cell<Option<InstructionSet>> = const { core::cell::Cell::new(None) };
}

/// Does some work with an instruction set that this processor has, on this thread.
#[cfg(test)]
pub(crate) fn with<R>(instruction_set: InstructionSet, work: impl FnOnce() -> R) -> R {
    FORCED.set(Some(instruction_set));
    let result = work();
    FORCED.set(None);
    result
}

/// A loop over scalars `S` that is written once for every vector.
pub(super) trait Kernel<S> {
    /// # Safety
    /// The processor has the instruction set of `V`. It must be inlined into the functions below, which have that
    /// instruction set.
    unsafe fn run<V: Vector<S>>(&self);
}

/// Runs a kernel on an instruction set that this processor has.
#[inline]
pub(super) fn run<S: Precision>(instruction_set: InstructionSet, kernel: &impl Kernel<S>) {
    // SAFETY: the instruction set was found on this processor.
    unsafe {
        match instruction_set {
            InstructionSet::Plain => plain(kernel),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => avx2(kernel),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => avx512(kernel),
        }
    }
}

/// Out of line like the others: inside of the caller it would have registers saved on the way to them (4 % of the study's
/// loop).
#[inline(never)]
unsafe fn plain<S: Precision>(kernel: &impl Kernel<S>) {
    unsafe { kernel.run::<S::Plain>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
unsafe fn avx512<S: Precision>(kernel: &impl Kernel<S>) {
    unsafe { kernel.run::<S::Avx512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<S: Precision>(kernel: &impl Kernel<S>) {
    unsafe { kernel.run::<S::Avx2>() }
}

/// Pointers to scalars that can be taken for pointers to scalars of another name.
pub(super) trait Cast {
    type To<S>;
    fn cast<S>(self) -> Self::To<S>;
}

/// Hands a kernel made for scalars `T` to the function for what `T` is by another name; `false`, and nothing done, if
/// that is neither `f32` nor `f64`. These functions are compiled in this crate, and not again in every one that uses it.
#[inline(always)]
pub(super) fn by_precision<T: Scalar, K: Cast>(
    instruction_set: InstructionSet,
    kernel: K,
    single: fn(InstructionSet, &K::To<f32>),
    double: fn(InstructionSet, &K::To<f64>),
) -> bool {
    if TypeId::of::<T>() == TypeId::of::<f32>() {
        single(instruction_set, &kernel.cast());
    } else if TypeId::of::<T>() == TypeId::of::<f64>() {
        double(instruction_set, &kernel.cast());
    } else {
        return false;
    }
    true
}
