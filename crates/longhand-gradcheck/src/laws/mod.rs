//! The laws of a layer, each a check of its own.
//!
//! | law | catches |
//! |---|---|
//! | [`tensors`] | a parameter that is missing from the tensors, or in another order |
//! | [`contract`] | an output that is not in the cache, a gradient that depends on whether another was asked for |
//! | [`same_function`] | a kernel that computes something else than the plain loops |
//! | [`repeat`] | state hidden in the layer or left in the cache |
//! | [`accumulation`] | `=` in place of `+=` |
//! | [`replacing`] | `+=` in place of `=` in a `backward_replacing` of the layer's own |
//! | [`zero_cotangent`] | weight decay in backward |
//! | [`linearity`] | clipping in backward; small gradients skipped |
//! | [`padding`] | a mask that leaks; zero times NaN |
//! | [`more_padding`] | a mean over all steps in place of the valid ones |
//! | [`batch`] | sequences mixed up; a mean for a sum |
//! | [`reset`] | a reset that leaks or is one step off |
//! | [`windows_passed`] | the carry's gradient ignored |
//! | [`windows_held`] | truncation that is not the gradient of the windows' losses |
//! | [`cache`] | buffers with something left in them |
//! | [`single_precision`] | `f32` kernels that lose digits |
//! | [`flushing`] | gradients that become subnormal, which are slow (only if asked for) |
//! | [`kink`] | another convention at a kink than the one stated |

mod backward;
mod compare;
mod contract;
mod oracles;
mod padding;
mod sequences;
mod vanishing;

pub use backward::{Doubling, accumulation, linearity, repeat, replacing, zero_cotangent};
pub(crate) use contract::visits;
pub use contract::{contract, tensors};
pub use oracles::{Side, SingleLayer, kink, same_function, single_precision, windows_held};
pub use padding::{more_padding, padding};
pub use sequences::{batch, cache, reset, windows_passed};
pub use vanishing::flushing;
