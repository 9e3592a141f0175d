//! Checks of layers: the order of the gradients and the laws.
//!
//! A law comes after the laws that locate a mistake better. The laws of the cache, for example, come before laws that
//! use a cache twice, so a stale cache is reported as a stale cache.

use super::{Checker, OptionalLaw};
use crate::adjoint::{self, Agreement};
use crate::built::{BuildLayer, Built};
use crate::case::Case;
use crate::differences::Differences;
use crate::dual::{Direction, DualLayer};
use crate::erased::{DualNumbersOfErased, Erased, ErasedLayer, ErasedSequenceLayer, ErasedValue};
use crate::failure::Failure;
use crate::law::Law;
use crate::laws;
use crate::oracle::Oracle;
use crate::panics::caught;
use crate::setting::{SequenceLayer, Setting};
use crate::single::SingleLayer;
use longhand::{Layer, Path, Tensors};
use std::sync::Arc;

/// A setting with more parameters and inputs than `LARGE`, or more columns than `MANY_COLUMNS`, is checked with fewer
/// laws to save time: mostly in inference, and without the laws about the order of calls. A mistake that shows only in
/// training or in a certain order also shows at small sizes.
const LARGE: usize = 4000;
const MANY_COLUMNS: usize = 100;

pub(super) fn is_large<L: Layer<f64>>(setting: &Setting<L>) -> bool {
    let mut columns = 0;
    setting.d_output.visit(&Path::ROOT, &mut |_, shape, _| columns = shape.columns.max(columns));
    setting.layer.count() + setting.input.count() > LARGE || columns > MANY_COLUMNS
}

/// Calls each law and passes its name to reports of panics.
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

/// [`laws::same_function`] for type-erased layers.
fn same_function<V: ErasedValue>(setting: &Setting<Erased<V>>) -> Result<(), Failure> {
    caught(
        "laws::same_function",
        || context(setting),
        || laws::same_values(setting, &setting.tangent(&Direction::default())),
    )
}

impl Checker {
    /// Checks the gradients of a layer against dual numbers, and all laws. Checks the given case, and then the same
    /// sizes with each of [`Case::edge_layouts`].
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

    /// [`layer`](Self::layer) without the edge layouts.
    fn layer_in(&self, layer: &ErasedSequenceLayer, case: &Case) -> Result<Agreement, Failure> {
        let setting = &caught("the forward pass", || case.to_string(), || Ok(self.setting(layer, case)))?;
        each!(setting; visits, maps(|f| setting.mapped(f)), used_before(layer));
        let agreement = self.with_oracle(setting, &DualNumbersOfErased, same_function)?;
        if self.includes(Law::Differences) {
            each!(setting; central_difference);
            if self.in_training {
                each!(&setting.in_training(); central_difference);
            }
        }
        if self.includes(Law::LargeInputs) {
            each!(setting; large_inputs);
        }
        if self.includes(Law::SinglePrecision) {
            self.sequences_in_single(setting)?;
        }
        Ok(agreement)
    }

    /// Checks a layer that runs on `f64` only, in one case. The gradients are compared with central differences, within
    /// a tolerance that follows from their rounding and truncation errors.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn layer_by_differences<L: SequenceLayer>(&self, layer: &L, case: &Case) -> Result<Agreement, Failure> {
        let layer = &ErasedSequenceLayer::double_only(layer.clone());
        let setting = caught("the forward pass", || case.to_string(), || Ok(self.setting(layer, case)))?;
        self.with_oracle(&setting, &Differences::new(), |_| Ok(()))
    }

    /// Checks the gradients of a layer with any kind of input against dual numbers, and the laws that do not need
    /// sequences.
    ///
    /// Other laws need a second setting: see [`any_layer_with`](Self::any_layer_with), and
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
        if self.includes(Law::Differences) {
            each!(setting; central_difference);
        }
        if self.includes(Law::LargeInputs) {
            each!(setting; large_inputs);
        }
        if self.includes(Law::SinglePrecision) {
            self.any_layer_in_single(setting)?;
        }
        Ok(agreement)
    }

    /// Checks both settings like [`any_layer`](Self::any_layer), and the laws that need a second setting. `other` has
    /// the same layer and another shape or other ids. A cache that was used for one setting must not change the results
    /// of the other, and the passes of both can be interleaved.
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
        if self.includes(Law::SinglePrecision) {
            let (single, other) = (&setting.in_single(), &other.in_single());
            each!(single; cache_after(other), interleaved(other));
        }
        Ok(agreement)
    }

    /// Builds and checks a layer for random cases ([`Case::strategy`]) and then for all edge cases ([`Case::edges`]).
    /// Shrinks the shapes of a failing random case.
    ///
    /// # Panics
    /// If a layer is rejected. The message is the report.
    #[track_caller]
    pub fn prove<L: SequenceLayer + DualLayer + SingleLayer>(&self, build: impl Fn(&Case) -> L) {
        self.run_or_panic(&|checker, case| checker.layer_in(&Erased::new(build(case)), case));
    }

    /// Like [`prove`](Self::prove), but returns the failure instead of panicking.
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
        self.run_or_panic(&|checker, case| {
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
    /// If a layer is rejected. The message is the report.
    #[track_caller]
    pub fn prove_by_differences<L: SequenceLayer>(&self, build: impl Fn(&Case) -> L) {
        self.run_or_panic(&|checker, case| checker.layer_by_differences(&build(case), case));
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
        if self.includes(Law::Marks) {
            each!(setting; marks);
        }
        if self.includes(Law::Padding) {
            each!(setting; padding);
        }
        if self.includes(Law::Batch) {
            each!(setting; batch);
        }
        if self.includes(Law::Reset) {
            each!(setting; reset);
        }
        if self.includes(Law::Windows) {
            each!(setting; windows_passed);
            let held = || laws::windows_held(setting, oracle);
            agreement = agreement.and(caught("laws::windows_held", || context(setting), held)?);
        }
        if self.includes(Law::Padding) {
            each!(setting; more_padding);
        }
        if self.requires(OptionalLaw::Flushing) {
            each!(setting; flushing);
        }
        if self.requires(OptionalLaw::WrongShapes) {
            each!(setting; wrong_shapes);
        }
        Ok(agreement)
    }

    /// The laws of every layer, for any kind of input. The laws of the cache come first, because a stale cache also
    /// breaks other laws.
    fn general_laws<L: Layer<f64>>(&self, setting: &Setting<L>) -> Result<(), Failure> {
        if !is_large(setting) {
            each!(
                setting; other_values, other_parameters, other_pass, other_cotangent, interleaved_with_itself,
                carry_again,
            );
        }
        each!(setting; accumulation(self.doubling), replacing, omissions, zero_cotangent, linearity, zero_in_part);
        if self.includes(Law::ZeroParameters) && !self.keep_parameters && !is_large(setting) {
            each!(setting; zero_parameters);
        }
        Ok(())
    }

    /// The laws of every layer that need reference derivatives.
    fn oracle_laws<L: Layer<f64>>(&self, setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
        let step = || laws::optimizer_step(setting, oracle);
        let mut agreement = caught("laws::optimizer_step", || context(setting), step)?;
        if self.includes(Law::ZeroCarry) {
            let zero = || laws::zero_carry(setting, oracle);
            agreement = agreement.and(caught("laws::zero_carry", || context(setting), zero)?);
        }
        Ok(agreement)
    }
}
