//! Verifies hand-written backward passes.
//!
//! ```
//! use longhand::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences, Tensors, nalgebra::DVector};
//!
//! /// `y = gain * x`, feature by feature.
//! #[derive(Clone)]
//! struct Gain<T> { gain: DVector<T> }
//! longhand::tensors!(Gain { gain });
//!
//! # impl<T: Scalar> Layer<T> for Gain<T> {
//! #     type Input = Sequences<T>;
//! #     type Output = Sequences<T>;
//! #     type Carry = ();
//! #     type Cache = Sequences<T>;
//! #     fn name(&self) -> String { format!("Gain({})", self.gain.len()) }
//! #     fn features(&self) -> Features { Features::Fixed { input: self.gain.len(), output: self.gain.len() } }
//! #     fn carry(&self, _: usize) {}
//! #     fn forward<'c>(
//! #         &self, x: &Sequences<T>, (): &mut (), y: &'c mut Sequences<T>, _: &mut Pass<'_>,
//! #     ) -> &'c Sequences<T> {
//! #         y.reshape(x.features(), x.layout());
//! #         y.values_mut().copy_from(x.values());
//! #         for mut y in y.values_mut().column_iter_mut() { y.component_mul_assign(&self.gain); }
//! #         y.clear_padding();
//! #         y
//! #     }
//! #     fn output(y: &Sequences<T>) -> &Sequences<T> { y }
//! #     fn backward(
//! #         &self, x: &Sequences<T>, y: &mut Sequences<T>, d_y: Option<&Sequences<T>>, (): &mut (),
//! #         gradients: ParameterGradients<'_, Self>, d_x: Option<&mut Sequences<T>>,
//! #     ) {
//! #         let layout = x.layout();
//! #         let d_y = &d_y.cloned().unwrap_or_else(|| y.zeros());
//! #         let gradients = gradients.to_add_to();
//! #         if let Some(gradients) = gradients {
//! #         for step in 0..layout.steps() {
//! #             for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
//! #                 for (i, d) in gradients.gain.iter_mut().enumerate() { *d += d_y.at(step, b)[i] * x.at(step, b)[i]; }
//! #             }
//! #         } }
//! #         let Some(d_x) = d_x else { return };
//! #         d_x.reshape(x.features(), layout);
//! #         d_x.values_mut().copy_from(d_y.values());
//! #         for mut d_x in d_x.values_mut().column_iter_mut() { d_x.component_mul_assign(&self.gain); }
//! #         d_x.clear_padding();
//! #     }
//! # }
//! // impl<T: Scalar> Layer<T> for Gain<T> { .. }
//!
//! longhand_gradcheck::prove(|case| Gain { gain: DVector::zeros(case.inputs) });
//! ```
//!
//! The last line, placed in a test, builds the layer in many shapes and draws its parameters. In each shape it checks
//!
//! - every gradient (each parameter, the input, the carry) against two references: the exact derivative of the layer's
//!   own forward pass on dual numbers (see [`Dual`]), and coarse central differences;
//! - every law of a layer, in `f64` and in `f32`. Each law is also a function in [`laws`].
//!
//! A wrong gradient is reported by tensor, row and column, with the case and seed that reproduce it:
//!
//! ```text
//! elman.weight_hh_l0[2,1]: analytic 0.3127, exact 0.2986 (T=5, batch=2, hidden=3, inputs=2, seed=0x1f3a)
//! ```
//!
//! # In a `proptest!` block
//! ```
//! use longhand::Elman;
//! use longhand_gradcheck::{Case, check};
//! use proptest::prelude::*;
//!
//! proptest! {
//!     // Each case is checked with many patterns of padding and resets, so a few cases are enough.
//!     #![proptest_config(ProptestConfig::with_cases(4))]
//!
//!     // In a test file, add `#[test]` here.
//!     fn elman_is_right(case in Case::strategy()) {
//!         check(&Elman::zeros(case.inputs, case.hidden), &case)?;
//!     }
//! }
//! elman_is_right();
//! ```
//!
//! # Other checks
//! | to check | call |
//! |---|---|
//! | a layer | [`prove`], or [`check`] in one case |
//! | a loss | [`prove_loss`], or [`check_loss`] in one case |
//! | a loss that depends on the number of outputs, or reads several per target | [`Checker::prove_loss_with`], [`Checker::outputs_per_target`] |
//! | a layer that breaks a law by design, or that needs particular parameters | [`Checker`] |
//! | a layer that runs on `f64` only | [`Checker::prove_by_differences`] |
//! | a layer whose type is known only at run time | [`Checker::prove_built`] |
//! | a layer whose input is not [`Sequences`](longhand::Sequences) | [`Setting::new`] and [`Checker::any_layer_with`] |
//! | a layer that is random in training (dropout) | the same calls: every layer is also checked in training |
//! | panics on wrong shapes; allocations | [`Checker::wrong_shapes`]; [`laws::allocation`] |
//! | one law, in `f64` or in `f32` | [`laws`], with [`InSingle`] for `f32` |
//!
//! The environment variable `PROPTEST_CASES` sets the number of cases.
//!
//! # What it cannot find
//! The exact derivatives are those of the layer's own forward pass. A layer that computes the wrong function, with the
//! right gradient of that function, is found only if the function breaks a law. Compare the forward pass with a second,
//! naive implementation. Mistakes at sizes above the largest edge case ([`Case::edges`]), or at values that are never
//! drawn, are not found either. The page "Prove your layer" in `docs/` has the full list.
#![deny(missing_docs)]

mod adjoint;
mod built;
mod case;
mod checker;
mod cut;
mod differences;
mod dual;
mod edges;
mod erased;
mod failure;
mod law;
pub mod laws;
mod loss;
mod names;
mod numbers;
mod oracle;
mod panics;
mod rounding;
mod setting;
mod single;
mod sweep;
mod target;

pub use adjoint::Agreement;
pub use built::BuildLayer;
pub use case::Case;
pub use checker::Checker;
pub use differences::Differences;
pub use dual::{Direction, Dual, DualLayer, Tangent};
pub use failure::{Failure, GradientFailure, LawFailure, Mismatch, PanicFailure, WrongTensor};
pub use law::Law;
pub use loss::DualLoss;
pub use oracle::{Derivative, DualNumbers, Oracle};
pub use setting::{Passes, SequenceLayer, Setting};
pub use single::{InSingle, InSingleCache, SingleLayer};
pub use target::CheckedTarget;

/// Proves a layer: builds it in random shapes and in the edge cases, draws its parameters, and checks its gradients and
/// every law.
///
/// The parameters set by `build` are replaced by random ones. For a layer that needs particular parameters, see
/// [`Checker::keep_parameters`]. The seeds are the same in each run.
///
/// # Panics
/// If the layer is rejected. The message is the report, for the smallest failing shape.
#[track_caller]
pub fn prove<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> L) {
    Checker::new().prove(build);
}

/// Checks the gradients of a layer, and every law, in one case and with the padding and resets of
/// [`Case::edge_layouts`]. Meant for `proptest!` blocks, with [`Case::strategy`].
///
/// # Errors
/// If a gradient is wrong or a law is broken.
pub fn check<L: SequenceLayer + DualLayer + SingleLayer>(layer: &L, case: &Case) -> Result<Agreement, Failure> {
    Checker::new().layer(layer, case)
}

/// Proves a loss in random shapes and in the edge cases, with some targets missing.
///
/// ```
/// use longhand::{MeanSquaredError, Reduction};
/// longhand_gradcheck::prove_loss(&MeanSquaredError::new(Reduction::MeanOverElements));
/// ```
///
/// # Panics
/// If the loss is rejected. The message is the report.
#[track_caller]
pub fn prove_loss<L: DualLoss>(loss: &L) {
    Checker::new().prove_loss(loss);
}

/// Checks a loss in one case.
///
/// # Errors
/// If its gradient is wrong or a law is broken.
pub fn check_loss<L: DualLoss>(loss: &L, case: &Case) -> Result<Agreement, Failure> {
    Checker::new().loss(loss, case)
}
