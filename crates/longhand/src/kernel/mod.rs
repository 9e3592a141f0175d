//! All matrix products and vectorised functions of the library, and its only `unsafe` code.
//!
//! The layers choose the operands, choose whether the result is added or replaces a value, and define the element-wise
//! [`Equations`]. This module selects the instruction set at run time. `f32` and `f64` run on vectors, all other scalar
//! types in plain loops.
//!
//! # Where `unsafe` remains, and why
//! | place | reason |
//! |---|---|
//! | the one call of each function with `#[target_feature]` ([`instruction_set`]) | a [token](vector::Vector::Token) proves that the processor has the instructions |
//! | intrinsics, in the implementations of [`vector::Vector`] | the token proves it here too, so arithmetic on vectors is a safe function |
//! | loads and stores through pointers | the lengths of the slices are asserted when a kernel is created or run |
//! | a generic scalar type that is `f32` or `f64` | checked by `TypeId` |
//!
//! The crates `rten-simd` and `pulp` have such tokens too, but `rten-simd` lacks `f64`. With either crate, partial
//! loads, sums of lanes and transposes would still have to be written here for each instruction set. Where a crate
//! replaced code of this module, it was 3 to 24 % slower (AVX2, `f32`).
//!
//! nalgebra's own products are not used. On views with a row stride they write out of bounds (dimforge/nalgebra #1616),
//! and they allocate in each call.

#![expect(
    clippy::needless_range_loop,
    reason = "the compiler unrolls loops over constant ranges, so that arrays stay in registers"
)]

mod aligned;
mod cell;
mod column;
mod equations;
mod exponential;
mod finite;
mod group;
mod hyperbolic_tangent;
mod instruction_set;
mod loops;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;
mod normal_distribution;
mod pack;
mod precision;
mod product;
mod real;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
mod softmax;
mod sums;
mod terms;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use cell::{BackwardStep, ForwardStep};
pub(crate) use column::PackedForColumn;
pub(crate) use equations::{
    CompiledHere, Equations, Pass, band, band_mut, bands, bands_mut, compiled_here, each, each_row, repeated,
};
pub(crate) use finite::all_finite;
pub use group::Group;
pub(crate) use instruction_set::{InstructionSet, Kernel, run};
pub(crate) use loops::{Loops, PlainSums, Sums, dot, run_compiled, run_loops};
pub use pack::Operand;
pub(crate) use pack::Packed;
pub(crate) use precision::Precision;
pub use product::{Accumulate, Workspace, product};
pub use real::Real;
pub(crate) use softmax::{Exponentials, SoftmaxGradient, exponentials, exponentials_on, gradient_on, logs_on};
pub(crate) use sums::{add, set_zero, sum_of_squares};
pub(crate) use terms::{LaneSums, Terms, add_terms, term};
pub(crate) use vector::{MOST_LANES, Vector};

#[cfg(test)]
mod tests;
