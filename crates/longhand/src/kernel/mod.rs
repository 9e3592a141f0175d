//! Every product and every vectorised function of the library, and its only `unsafe` code.
//!
//! The layers choose the operands, choose whether the result is added or replaces a value, and define the element-wise
//! [`Equations`]. This module selects the instruction set at run time. `f32` and `f64` run on vectors, all other scalar types on plain
//! loops.
//!
//! # Where `unsafe` remains, and why
//! | place | reason |
//! |---|---|
//! | the one call of each function with `#[target_feature]` ([`instruction_set`]) | a [token](vector::Vector::Token) proves that the processor has the instructions |
//! | intrinsics, in the implementations of [`vector::Vector`] | the same; arithmetic on vectors is then a safe function |
//! | loads and stores through pointers | the lengths of the slices are asserted when a kernel is created or run |
//! | a generic scalar type that is `f32` or `f64` | checked by `TypeId` |
//!
//! `rten-simd` and `pulp` have such tokens too. The first lacks `f64`; either left the partial loads, the sums and the
//! transposes of each instruction set to be written here, and cost 3 to 24 % where it replaced them (AVX2, `f32`).
//!
//! nalgebra's own products are not used: on views with a row stride they write out of bounds (dimforge/nalgebra
//! #1616), and they allocate at each call.

#![expect(clippy::needless_range_loop, reason = "constant ranges are what the compiler unrolls into registers")]

mod aligned;
mod cell;
mod column;
mod equations;
mod exponential;
mod finite;
mod group;
mod hyperbolic_tangent;
mod instruction_set;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;
mod pack;
mod precision;
mod product;
mod real;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
mod sums;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use cell::{BackwardStep, ForwardStep};
pub(crate) use column::PackedForColumn;
pub(crate) use equations::{CompiledHere, Equations, Pass, band, band_mut, compiled_here, each, each_row, repeated};
pub(crate) use finite::all_finite;
pub use group::Group;
pub(crate) use instruction_set::{InstructionSet, run};
pub use pack::Operand;
pub(crate) use pack::Packed;
pub use product::{Accumulate, Workspace, product};
pub use real::Real;
pub(crate) use sums::{add, sum_of_squares};

#[cfg(test)]
mod tests;
