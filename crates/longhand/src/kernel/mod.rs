//! Every product and every vectorised function of the library, and its only `unsafe` code.
//!
//! The layers say *what* is multiplied and whether the result replaces or is added; this module picks the instruction
//! set at run time. `f32` and `f64` take the fast paths, every other scalar the plain loops of [`product::plain`].
//!
//! nalgebra's own products are not used: on views with a row stride they write out of bounds (dimforge/nalgebra
//! #1616), and they allocate at each call.

#![expect(clippy::inline_always, reason = "a vector function must end up inside one with its instruction set")]
#![expect(clippy::needless_range_loop, reason = "constant ranges are what the compiler unrolls into registers")]

mod elementwise;
mod exponential;
mod instruction_set;
mod pack;
mod product;
mod vector;

pub(crate) use elementwise::{
    AdamStep, adam, add, add_columns, add_scaled, clamp, fill_columns, multiply, relu, relu_backward, scale,
    sum_of_squares, tanh_backward,
};
pub(crate) use exponential::{sigmoid, sigmoid_of, tanh};
pub(crate) use instruction_set::{InstructionSet, for_each_instruction_set};
pub(crate) use pack::{Operand, Packed};
pub(crate) use product::{Accumulate, Workspace, product};

#[cfg(test)]
mod tests;
