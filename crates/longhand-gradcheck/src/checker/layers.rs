//! Layers: the order in which the gradients and the laws are checked.
//!
//! A law comes after the laws that explain it: a stale cache is reported as such, because the laws of the cache come before
//! the laws that use a cache twice.

use super::{Checker, OnRequest};
use crate::adjoint::{self, Agreement};
use crate::built::{BuildLayer, Built};
use crate::case::Case;
use crate::differences::Differences;
use crate::dual::{Direction, DualLayer};
use crate::erased::{DualNumbersOfErased, Erased, ErasedLayer, ErasedSequenceLayer, Visible};
use crate::failure::Failure;
use crate::law::Law;
use crate::laws;
use crate::oracle::Oracle;
use crate::panics::caught;
use crate::setting::{SequenceLayer, Setting};
use crate::single::SingleLayer;
use longhand::{Layer, Path, Tensors};
use std::sync::Arc;

/// A setting with more parameters and inputs, or with more columns, is checked in inference only, and without the laws of the
/// order of calls, to save time: a mistake that shows only in training, or only in a certain order, shows at small sizes too.
const LARGE: usize = 4000;
const MANY_COLUMNS: usize = 100;

pub(super) fn is_large<L: Layer<f64>>(setting: &Setting<L>) -> bool {
    let mut columns = 0;
    setting.d_output.visit(&Path::ROOT, &mut |_, shape, _| columns = shape.columns.max(columns));
    setting.layer.count() + setting.input.count() > LARGE || columns > MANY_COLUMNS
}

/// Calls each law with a name for reports of panics.
macro_rules! each {
    ($setting:expr; $($law:ident $(($($argument:expr),*))?),* $(,)?) => {
        $(caught(concat!("laws::", stringify!($law)), || context($setting), || {
            laws::$law($setting $($(, $argument)*)?)
        })?;)*
    };
}
pub(super) use each;

pub(super) fn context<L: Layer<f64>>(setting: &Setting<L>) -> String {
    format!("{}, {}", setting.layer.name(), setting.about)
}

/// The laws of other scalars, for layers whose type is forgotten.
fn same_function<V: Visible>(setting: &Setting<Erased<V>>) -> Result<(), Failure> {
    caught(
        "laws::same_function",
        || context(setting),
        || laws::same_values(setting, &setting.tangent(&Direction::default())),
    )
}

impl Checker {
    /// The gradients of a layer against dual numbers, and all laws, in one case and, with the same layer, under the marks
    /// of [`Case::edge_layouts`].
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn layer<L: SequenceLayer + DualLayer + SingleLayer>(
        &self,
        layer: &L,
        case: &Case,
    ) -> Result<Agreement, Failure> {
        let layer = &Erased::new(layer.clone());
        let mut agreement = self.layer_in(layer, case)?;
        let edges = self.at_an_edge();
        for (_, layout) in Case::edge_layouts() {
            agreement = agreement.and(edges.layer_in(layer, &case.clone().with_layout(layout))?);
        }
        Ok(agreement)
    }

    /// The same in this case only.
    fn layer_in(&self, layer: &ErasedSequenceLayer, case: &Case) -> Result<Agreement, Failure> {
        let setting = &caught("the forward pass", || case.to_string(), || Ok(self.setting(layer, case)))?;
        each!(setting; visits, maps(|f| setting.mapped(f)), used_before(layer));
        let agreement = self.with_oracle(setting, &DualNumbersOfErased, same_function)?;
        if self.asks(Law::Differences) {
            each!(setting; central_difference);
            if self.in_training {
                each!(&setting.in_training(); central_difference);
            }
        }
        if self.asks(Law::LargeInputs) {
            each!(setting; large_inputs);
        }
        if self.asks(Law::SinglePrecision) {
            self.sequences_in_single(setting)?;
        }
        Ok(agreement)
    }

    /// The same for a layer that runs on `f64` only: against central differences, with a tolerance that follows from
    /// their rounding and truncation errors.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn layer_by_differences<L: SequenceLayer>(&self, layer: &L, case: &Case) -> Result<Agreement, Failure> {
        let layer = &ErasedSequenceLayer::double_only(layer.clone());
        let setting = caught("the forward pass", || case.to_string(), || Ok(self.setting(layer, case)))?;
        self.with_oracle(&setting, &Differences::new(), |_| Ok(()))
    }

    /// The gradients of a layer with any kind of input against dual numbers, and the laws that do not need sequences.
    ///
    /// For the others give a second setting: [`any_layer_with`](Self::any_layer_with), and
    /// [`laws::same_results`](crate::laws::same_results) for padding.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn any_layer<L: DualLayer + SingleLayer + 'static>(&self, setting: &Setting<L>) -> Result<Agreement, Failure> {
        self.erased_layer(&ErasedLayer::setting(setting))
    }

    fn erased_layer(&self, setting: &Setting<ErasedLayer>) -> Result<Agreement, Failure> {
        each!(setting; visits, maps(|f| setting.mapped(f)), contract, repeat);
        same_function(setting)?;
        let mut agreement = caught(
            "gradients",
            || context(setting),
            || adjoint::check(setting, &setting.passes(), &DualNumbersOfErased),
        )?;
        self.general_laws(setting)?;
        each!(setting; one_other_parameter);
        agreement = agreement.and(self.oracle_laws(setting, &DualNumbersOfErased)?);
        if self.asks(Law::Differences) {
            each!(setting; central_difference);
        }
        if self.asks(Law::LargeInputs) {
            each!(setting; large_inputs);
        }
        if self.asks(Law::SinglePrecision) {
            self.any_layer_in_single(setting)?;
        }
        Ok(agreement)
    }

    /// [`any_layer`](Self::any_layer), and the laws that need a second setting of the same layer: `other`, of another shape.
    /// A cache that was used there leaves nothing behind, and both can be under way at a time.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn any_layer_with<L: DualLayer + SingleLayer + 'static>(
        &self,
        setting: &Setting<L>,
        other: &Setting<L>,
    ) -> Result<Agreement, Failure> {
        let (setting, other) = (&ErasedLayer::setting(setting), &ErasedLayer::setting(other));
        let agreement = self.erased_layer(setting)?.and(self.erased_layer(other)?);
        each!(setting; cache_after(other), interleaved(other));
        each!(other; cache_after(setting));
        if self.asks(Law::SinglePrecision) {
            let (single, other) = (&setting.in_single(), &other.in_single());
            each!(single; cache_after(other), interleaved(other));
        }
        Ok(agreement)
    }

    /// Builds a layer for each case, cases of the shape policy and then all the edges, and checks it; shrinks the shapes
    /// of a case that fails.
    ///
    /// # Panics
    /// If a layer is rejected: with the report.
    #[track_caller]
    pub fn prove<L: SequenceLayer + DualLayer + SingleLayer>(&self, build: impl Fn(&Case) -> L) {
        self.panicking(&|checker, case| checker.layer_in(&Erased::new(build(case)), case));
    }

    /// [`prove`](Self::prove) that returns the failure in place of a panic.
    ///
    /// # Errors
    /// If a layer is rejected.
    pub fn try_prove<L: SequenceLayer + DualLayer + SingleLayer>(
        &self,
        build: impl Fn(&Case) -> L,
    ) -> Result<(), Failure> {
        self.run(&|checker, case| checker.layer_in(&Erased::new(build(case)), case))
            .map_err(|rejection| rejection.failure)
    }

    /// [`prove`](Self::prove) for a layer whose type is known only at run time: `builder` builds it for each case and each
    /// scalar type.
    ///
    /// # Panics
    /// If the layer is rejected: with the report.
    #[track_caller]
    pub fn prove_built<B: BuildLayer>(&self, builder: B) {
        let builder = Arc::new(builder);
        self.panicking(&|checker, case| {
            checker.layer_in(&Erased::new(Built::new(Arc::clone(&builder), case.clone())), case)
        });
    }

    /// [`prove_built`](Self::prove_built) in one case.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn built<B: BuildLayer>(&self, builder: B, case: &Case) -> Result<Agreement, Failure> {
        self.layer_in(&Erased::new(Built::new(Arc::new(builder), case.clone())), case)
    }

    /// [`prove`](Self::prove) for a layer that runs on `f64` only.
    ///
    /// # Panics
    /// If a layer is rejected: with the report.
    #[track_caller]
    pub fn prove_by_differences<L: SequenceLayer>(&self, build: impl Fn(&Case) -> L) {
        self.panicking(&|checker, case| checker.layer_by_differences(&build(case), case));
    }

    fn with_oracle(
        &self,
        setting: &Setting<ErasedSequenceLayer>,
        oracle: &impl Oracle<ErasedSequenceLayer>,
        same_function: impl Fn(&Setting<ErasedSequenceLayer>) -> Result<(), Failure>,
    ) -> Result<Agreement, Failure> {
        each!(setting; visits, features, first_carry, contract, repeat);
        same_function(setting)?;
        let gradients = |setting: &Setting<ErasedSequenceLayer>| {
            caught("gradients", || context(setting), || adjoint::check(setting, &setting.passes(), oracle))
        };
        let mut agreement = gradients(setting)?;
        self.general_laws(setting)?;
        if !is_large(setting) {
            each!(setting; other_marks);
        }
        each!(setting; cache, silent_steps);
        if !is_large(setting) {
            each!(setting; interleaved_with_other_shapes, one_other_parameter);
        }
        agreement = agreement.and(self.oracle_laws(setting, oracle)?);
        let training = &setting.in_training();
        if !is_large(setting) {
            same_function(training)?;
            agreement = agreement.and(gradients(training)?);
            each!(setting; interleaved_with_training);
            if self.in_training {
                self.general_laws(training)?;
                agreement = agreement.and(self.oracle_laws(training, oracle)?);
            }
        }
        if !is_large(setting) {
            each!(setting; zero_inputs, equal_steps);
            if self.in_training {
                each!(training; zero_inputs);
            }
        }
        if self.asks(Law::Marks) {
            each!(setting; marks);
        }
        if self.asks(Law::Padding) {
            each!(setting; padding);
        }
        if self.asks(Law::Batch) {
            each!(setting; batch);
        }
        if self.asks(Law::Reset) {
            each!(setting; reset);
        }
        if self.asks(Law::Windows) {
            each!(setting; windows_passed);
            let held = || laws::windows_held(setting, oracle);
            agreement = agreement.and(caught("laws::windows_held", || context(setting), held)?);
        }
        if self.asks(Law::Padding) {
            each!(setting; more_padding);
        }
        if self.requests(OnRequest::Flushing) {
            each!(setting; flushing);
        }
        if self.requests(OnRequest::WrongShapes) {
            each!(setting; wrong_shapes);
        }
        Ok(agreement)
    }

    /// The laws of every layer, whatever its input. The laws of the cache come first: they explain the others.
    fn general_laws<L: Layer<f64>>(&self, setting: &Setting<L>) -> Result<(), Failure> {
        if !is_large(setting) {
            each!(
                setting; other_values, other_parameters, other_pass, other_cotangent, interleaved_with_itself,
                carry_again,
            );
        }
        each!(setting; accumulation(self.doubling), replacing, omissions, zero_cotangent, linearity, zero_in_part);
        if self.asks(Law::ZeroParameters) && !self.keep_parameters && !is_large(setting) {
            each!(setting; zero_parameters);
        }
        Ok(())
    }

    /// The laws of every layer that ask an oracle.
    fn oracle_laws<L: Layer<f64>>(&self, setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
        let step = || laws::optimizer_step(setting, oracle);
        let mut agreement = caught("laws::optimizer_step", || context(setting), step)?;
        if self.asks(Law::ZeroCarry) {
            let zero = || laws::zero_carry(setting, oracle);
            agreement = agreement.and(caught("laws::zero_carry", || context(setting), zero)?);
        }
        Ok(agreement)
    }
}
