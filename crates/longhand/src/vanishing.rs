//! Vanishing numbers: what is flushed to zero, and why that cannot matter.
//!
//! # Why
//! Gradients over many steps, hidden states in silence and an optimizer's averages decay towards zero. In floating point
//! they do not arrive: below the smallest normal number (`2^-126` at f32) come the *subnormal* numbers, and rounding can
//! hold a value there for ever (`0.6 * 1.4e-45 = 1.4e-45`). Some processors take 150 cycles for each operation that reads
//! or writes a subnormal number, which made training up to 90 times slower.
//!
//! # The law
//! At f32 and f64, every state, delta, moment and velocity that a layer, a loss or an optimizer of this crate produces is
//! set to zero if its magnitude is below the square root of the smallest normal number:
//!
//! | | smallest normal number | flushed below |
//! |---|---|---|
//! | f32 | `2^-126` = 1.2e-38 | `2^-63` = 1.1e-19 |
//! | f64 | `2^-1022` = 2.2e-308 | `2^-511` = 1.5e-154 |
//!
//! So the product of two values that remain (a delta and a state in a weight's gradient, say) is never subnormal, and
//! neither is the product of one of them and a weight of at least `2^-63`.
//!
//! | value | flushed |
//! |---|---|
//! | hidden states, cells, outputs of [`Activation`](crate::Activation) | where the equations of a step produce them |
//! | gates (logistic functions) | zero below `2^-62.5` (`2^-510.5`) |
//! | deltas: gradients of pre-activations, of cells, of an activation's input | where the backward equations produce them |
//! | gradients of a loss with respect to the outputs | after the reduction has scaled them |
//! | gradients that an optimizer reads; momentum, first moments, parameters, except under plain [`Sgd`](crate::Sgd) | in the step |
//! | averages of weights | in the update |
//! | second moments (sums of squares) | below the smallest normal number |
//!
//! Inputs, carries and parameters that the caller provides are read as they are.
//!
//! # Why it cannot matter
//! - *Forward.* Hidden states are numbers of the order of 1, and so are the biases that they are added to: at f32 a number
//!   below 1.1e-19 changes nothing that is larger than 2e-12.
//! - *Backward.* A delta below 1.1e-19 is added to gradients. It changes a parameter only if its whole gradient is that
//!   small, and then by `learning_rate * 1e-19`.
//! - *Adam.* The step is `learning_rate * m / (sqrt(v) + epsilon)`. A first moment below 1.1e-19 changes it by less than
//!   `learning_rate * 1.1e-19 / epsilon`: `learning_rate * 1.1e-11` for the usual epsilon. The same holds for RMSProp and Adagrad.
//! - *Lion* is the exception: the sign of a gradient is its step, so a gradient that is set to zero makes a difference.
//!   A parameter stays where its gradient and momentum are below 1.1e-19.
//!
//! The gradient is that of the function without flushing. The two functions differ by less than the threshold, and the
//! gradient checker, which compares to `1e-12` of the size of the terms, cannot tell them apart.
//!
//! # Why not in the processor
//! Processors have a flag that flushes every subnormal number (`MXCSR` on x86-64). Setting it from Rust is undefined
//! behaviour, since the compiler assumes the default; and the flag belongs to the caller, not to a library.
//!
//! # In a layer of your own
//! ```
//! use longhand::vanishing::flush_to_zero;
//! assert_eq!(flush_to_zero(1e-20_f32), 0.0);
//! assert_eq!(flush_to_zero(1e-20_f64), 1e-20);
//! ```

pub use crate::scalar::flush_to_zero;

#[cfg(test)]
mod tests;
