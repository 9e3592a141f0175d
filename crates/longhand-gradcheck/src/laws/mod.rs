//! The laws of a layer. Each law is a function that can be called alone.
//!
//! A law accepts a [`Setting`](crate::Setting). To check a law in `f32`, pass it
//! [`InSingle::of(&setting)`](crate::InSingle::of).
//!
//! Laws of every layer:
//!
//! | law | catches |
//! |---|---|
//! | [`tensors`] | a parameter that is missing from the tensors, or in another order |
//! | [`contract`] | an output that is not in the cache, a gradient that depends on whether another was requested |
//! | [`same_function`] | a fast kernel whose results differ from plain loops |
//! | [`repeat`] | state hidden in the layer or left in the cache |
//! | [`accumulation`] | `=` in place of `+=` |
//! | [`replacing`] | `+=` in place of `=` where gradients are replaced, with and without `d_input` |
//! | [`omissions`] | a frozen layer that stops the gradient; a backward pass that does nothing without `d_output` |
//! | [`zero_cotangent`] | weight decay in the backward pass |
//! | [`linearity`] | clipping in the backward pass; small gradients skipped |
//! | [`zero_in_part`] | steps or elements skipped because their cotangent is zero |
//! | [`other_parameters`] | parameters copied into the cache, stale after an optimizer step |
//! | [`one_other_parameter`] | values recomputed only if a certain parameter changes |
//! | [`optimizer_step`] | values computed from the parameters and stored in the layer, stale after an optimizer step |
//! | [`other_values`] | inputs or carries stored once per shape |
//! | [`other_cotangent`] | deltas stored in the cache |
//! | [`other_pass`] | a dropout mask that is stale in inference |
//! | [`interleaved`] | activations stored in the layer |
//! | [`carry_again`] | a counter in the carry that `set_zero` does not reset |
//! | [`zero_carry`] | a gradient omitted because the carry is zero |
//! | [`zero_parameters()`] | a gradient omitted because the parameter is zero |
//! | [`central_difference`] | work in `f64`, where the dual part is lost |
//! | [`large_inputs`] | a wrong branch of a piecewise function |
//! | [`single_precision`] | `f32` kernels that lose digits |
//! | [`cache_after`] | buffers with old values from another shape (the caller passes the other setting) |
//! | [`same_results`] | results that depend on padding (the caller passes a setting with other padding) |
//! | [`batch_of`] | sequences mixed up; a mean for a sum (the caller passes each sequence alone) |
//!
//! Laws of layers from sequences to sequences:
//!
//! | law | catches |
//! |---|---|
//! | [`features`] | wrong numbers of features in `features()` |
//! | [`first_carry`] | an initial carry that is not zero |
//! | [`marks()`] | an output without the marks of the input, or with those of an earlier call |
//! | [`zero_inputs()`] | zeros in the input that are treated as a dropout mask or as padding |
//! | [`equal_steps`] | a step that is skipped because it equals the step before |
//! | [`padding`] | a mask that leaks; zero times NaN |
//! | [`more_padding`] | a mean over all steps in place of the valid ones |
//! | [`batch`] | sequences mixed up; a mean for a sum |
//! | [`reset`] | a reset that leaks or is one step off |
//! | [`windows_passed`] | the carry's gradient ignored |
//! | [`windows_held`] | truncation that is not the gradient of the windows' losses |
//! | [`cache()`] | buffers with old values from another shape |
//! | [`other_marks`] | masks or lengths stored once per shape |
//! | [`silent_steps`] | steps skipped because their cotangent is zero |
//!
//! Laws that are checked only on request:
//!
//! | law | catches |
//! |---|---|
//! | [`flushing`] | subnormal gradients, which are slow |
//! | [`wrong_shapes`] | a layer that accepts a wrong shape instead of panicking |
//! | [`kink`] | a derivative at a kink that differs from the stated convention |
//! | [`ties`] | a maximum that passes its gradient to several equal elements |
//! | [`allocation`] | buffers that are allocated in every call |

mod allocation;
mod backward;
mod cache;
mod carry;
mod compare;
mod contract;
mod differences;
mod interleaved;
mod marks;
mod near_zero;
mod oracles;
mod padding;
mod precision;
mod reuse;
mod sequences;
mod shapes;
mod silent;
mod ties;
mod time;
mod vanishing;
mod zero_inputs;
mod zero_parameters;

pub use allocation::allocation;
pub use backward::{Doubling, accumulation, linearity, omissions, repeat, replacing, zero_cotangent};
pub(crate) use backward::{accumulation_within, linearity_within};
pub use cache::cache;
pub use carry::{carry_again, zero_carry};
pub use contract::{contract, tensors};
pub(crate) use contract::{maps, visits};
pub(crate) use differences::along;
pub(crate) use differences::with_large_inputs;
pub use differences::{central_difference, large_inputs};
pub use interleaved::interleaved;
pub(crate) use interleaved::{
    interleaved_with_itself, interleaved_with_other_shapes, interleaved_with_training, used_before,
};
pub use marks::marks;
pub(crate) use oracles::same_values;
pub use oracles::{same_function, windows_held};
pub use padding::{more_padding, padding, same_results};
pub use precision::single_precision;
pub(crate) use precision::{VANISHED, precision_of};
pub use reuse::{
    cache_after, one_other_parameter, optimizer_step, other_cotangent, other_marks, other_parameters, other_pass,
    other_values,
};
pub use sequences::{batch, batch_of};
pub use shapes::{features, first_carry, wrong_shapes};
pub use silent::{silent_steps, zero_in_part};
pub(crate) use silent::{silent_steps_within, zero_in_part_within};
pub use ties::{Side, kink, ties};
pub use time::{reset, windows_passed};
pub use vanishing::flushing;
pub(crate) use zero_inputs::zero_inputs_in_single;
pub use zero_inputs::{equal_steps, zero_inputs};
pub use zero_parameters::zero_parameters;
