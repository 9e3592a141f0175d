//! Detection of the processor's vector instructions, and kernels that are compiled for each instruction set.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use super::neon::Neon;
use super::precision::Precision;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::simd128::Simd128;
use super::vector::{Plain, Vector};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use crate::Scalar;
use crate::scalar::is;

/// The instruction sets with their own code, each with the token that proves that the processor supports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    /// Plain loops over arrays, which the compiler vectorises where it can.
    Plain(Plain),
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// 128-bit vectors with fused multiply-add, part of every 64-bit ARM application processor.
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    Neon(Neon),
    /// 128-bit vectors of WebAssembly. Selected at compile time (`-C target-feature=+simd128`), because a module cannot
    /// query its host.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128(Simd128),
}

impl Default for InstructionSet {
    fn default() -> Self {
        InstructionSet::Plain(Plain)
    }
}

impl InstructionSet {
    /// Returns the best instruction set of this processor. It is detected once: asking the standard library for five
    /// features in each kernel costs 1 to 3 % of the study's loop.
    #[inline]
    pub(crate) fn best() -> InstructionSet {
        #[cfg(test)]
        if let Some(forced) = FORCED.get() {
            return forced;
        }
        #[cfg(feature = "std")]
        {
            static BEST: std::sync::OnceLock<InstructionSet> = std::sync::OnceLock::new();
            *BEST.get_or_init(InstructionSet::detect)
        }
        #[cfg(not(feature = "std"))]
        InstructionSet::detect()
    }

    fn detect() -> InstructionSet {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = Avx512::detect() {
                return InstructionSet::Avx512(token);
            }
            if let Some(token) = Avx2::detect() {
                return InstructionSet::Avx2(token);
            }
        }
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        return InstructionSet::Neon(Neon::new());
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return InstructionSet::Simd128(Simd128::new());
        #[allow(unreachable_code, reason = "some targets always return above")]
        InstructionSet::default()
    }

    /// Returns all instruction sets that this processor supports, for tests that compare them.
    #[cfg(test)]
    pub(crate) fn available() -> alloc::vec::Vec<InstructionSet> {
        let mut sets = alloc::vec![InstructionSet::default()];
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(Avx2::detect().map(InstructionSet::Avx2));
            sets.extend(Avx512::detect().map(InstructionSet::Avx512));
        }
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        sets.push(InstructionSet::Neon(Neon::new()));
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        sets.push(InstructionSet::Simd128(Simd128::new()));
        sets
    }
}

#[cfg(test)]
std::thread_local! {
    /// Replaces the best instruction set of this thread, for tests that compare instruction sets.
    static FORCED: core::cell::Cell<Option<InstructionSet>> = const { core::cell::Cell::new(None) };
}

/// Runs `work` on this thread, with `instruction_set` as the best one.
#[cfg(test)]
pub(crate) fn with<R>(instruction_set: InstructionSet, work: impl FnOnce() -> R) -> R {
    FORCED.set(Some(instruction_set));
    let result = work();
    FORCED.set(None);
    result
}

/// A loop over scalars `S`, written once for all vector types.
pub(crate) trait Kernel<S: Precision> {
    /// Runs the kernel. Must be `#[inline(always)]`: only the functions below are compiled with the instruction set of
    /// `V`.
    fn run<V: Vector<S>>(&self, token: V::Token);
}

/// Runs a kernel on an instruction set.
#[inline]
pub(crate) fn run<S: Precision>(instruction_set: InstructionSet, kernel: &impl Kernel<S>) {
    match instruction_set {
        InstructionSet::Plain(token) => plain::run(token, kernel),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the token proves that the processor has these instructions.
        InstructionSet::Avx2(token) => unsafe { avx2::run(token, kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the token proves that the processor has these instructions.
        InstructionSet::Avx512(token) => unsafe { avx512::run(token, kernel) },
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        InstructionSet::Neon(token) => neon::run(token, kernel),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        InstructionSet::Simd128(token) => simd128::run(token, kernel),
    }
}

// One module for each instruction set, because the compiler distributes modules over the processor's cores: in a single module,
// nearly all vector code of the library would be compiled on one core.

mod plain {
    use super::{Kernel, Plain, Precision};

    /// Not inlined: inlining makes the compiler spill registers before every call of the other functions (4 % of the
    /// study's loop).
    #[inline(never)]
    pub(super) fn run<S: Precision>(token: Plain, kernel: &impl Kernel<S>) {
        kernel.run::<S::Plain>(token);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{Avx512, Kernel, Precision};

    #[target_feature(enable = "avx512f,avx512vl,avx512dq")]
    pub(super) fn run<S: Precision>(token: Avx512, kernel: &impl Kernel<S>) {
        kernel.run::<S::Avx512>(token);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Avx2, Kernel, Precision};

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run<S: Precision>(token: Avx2, kernel: &impl Kernel<S>) {
        kernel.run::<S::Avx2>(token);
    }
}

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon {
    use super::{Kernel, Neon, Precision};

    #[inline(never)]
    pub(super) fn run<S: Precision>(token: Neon, kernel: &impl Kernel<S>) {
        kernel.run::<S::Neon>(token);
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use super::{Kernel, Precision, Simd128};

    #[inline(never)]
    pub(super) fn run<S: Precision>(token: Simd128, kernel: &impl Kernel<S>) {
        kernel.run::<S::Simd128>(token);
    }
}

/// A kernel over a generic scalar type, which may be `f32` or `f64`.
///
/// # Safety
/// `Over<Self::Scalar>` is `Self`.
pub(super) unsafe trait OverScalar {
    /// The scalar type.
    type Scalar: Scalar;
    /// The same kernel over another scalar type.
    type Over<S: Scalar>;
}

/// Passes a kernel to `single` if its scalars are `f32`, or to `double` if they are `f64`, and returns `true`. For
/// other scalar types it does nothing and returns `false`. `single` and `double` are compiled once, in this crate, and
/// not again in every crate that uses it.
#[inline(always)]
pub(super) fn by_precision<K: OverScalar>(
    instruction_set: InstructionSet,
    kernel: &K,
    single: fn(InstructionSet, &K::Over<f32>),
    double: fn(InstructionSet, &K::Over<f64>),
) -> bool {
    if is::<K::Scalar, f32>() {
        // SAFETY: the scalars are `f32`, so the contract of `OverScalar` makes both types the same.
        single(instruction_set, unsafe { &*core::ptr::from_ref(kernel).cast() });
    } else if is::<K::Scalar, f64>() {
        // SAFETY: the scalars are `f64`, so the contract of `OverScalar` makes both types the same.
        double(instruction_set, unsafe { &*core::ptr::from_ref(kernel).cast() });
    } else {
        return false;
    }
    true
}
