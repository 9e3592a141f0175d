//! The laws of a layer in `f32`.

use super::layers::{context, each, is_large};
use super::{Checker, OptionalLaw};
use crate::erased::{Erased, ErasedSequenceLayer, ErasedValue};
use crate::failure::Failure;
use crate::law::Law;
use crate::laws::{self, Doubling};
use crate::panics::caught;
use crate::setting::Setting;
use longhand::Layer;

/// Tolerance in `f32` of laws that hold within rounding, relative to the largest value.
const SINGLE: f64 = 1e-4;

/// Factor on the input for checks of `f32` far from zero. At inputs of this size `exp` overflows.
const LARGE_IN_SINGLE: f64 = 100.0;
/// If a result in `f64` is larger, `f32` is not checked, because it cannot hold the result.
const LARGEST_IN_SINGLE: f64 = 1e30;

fn single_precision<V: ErasedValue>(setting: &Setting<Erased<V>>) -> Result<(), Failure> {
    single_precision_above(setting, laws::VANISHED)
}

fn single_precision_above<V: ErasedValue>(setting: &Setting<Erased<V>>, floor: f64) -> Result<(), Failure> {
    caught(
        "laws::single_precision",
        || context(setting),
        || laws::precision_of(setting, floor, &|rounded| rounded.in_single().passes().parts("")),
    )
}

/// Whether every result of the passes is smaller than `bound`.
fn are_below<V: ErasedValue>(setting: &Setting<Erased<V>>, bound: f64) -> Result<bool, Failure> {
    let parts = || Ok(setting.passes().parts(""));
    let parts = caught("laws::single_precision", || context(setting), parts)?;
    Ok(parts.iter().flat_map(|(_, values)| values).all(|x| x.abs() < bound))
}

fn in_single<V: ErasedValue>(setting: &Setting<Erased<V>>) -> Result<Setting<Erased<V>>, Failure> {
    caught("InSingle::of", || context(setting), || Ok(setting.in_single()))
}

impl Checker {
    /// Checks a layer of sequences in `f32`: against `f64`, and the laws.
    pub(super) fn sequences_in_single(&self, setting: &Setting<ErasedSequenceLayer>) -> Result<(), Failure> {
        single_precision(setting)?;
        single_precision(&setting.with_zero_carry())?;
        if self.includes(Law::LargeInputs) {
            self.large_inputs_in_single(setting)?;
        }
        if !is_large(setting) {
            single_precision(&setting.in_training())?;
        }
        let single = &in_single(setting)?;
        self.laws_in_single(single)?;
        each!(single; silent_steps_within(SINGLE));
        if !is_large(single) {
            each!(single; other_marks, interleaved_with_other_shapes, zero_inputs_in_single);
        }
        each!(single; cache);
        if self.includes(Law::Padding) {
            each!(single; padding);
        }
        Ok(())
    }

    /// Checks a layer with any kind of input in `f32`: against `f64`, and the laws of every layer.
    pub(super) fn any_layer_in_single<V: ErasedValue>(&self, setting: &Setting<Erased<V>>) -> Result<(), Failure> {
        single_precision(setting)?;
        self.laws_in_single(&in_single(setting)?)
    }

    /// Checks that `f32` agrees with `f64` on large inputs, if `f32` can hold the results. If an intermediate result
    /// overflows, the layer is rejected only with [`Checker::finite_in_single`].
    fn large_inputs_in_single(&self, setting: &Setting<ErasedSequenceLayer>) -> Result<(), Failure> {
        let large = &laws::with_large_inputs(setting, LARGE_IN_SINGLE);
        if are_below(large, LARGEST_IN_SINGLE)?
            && (self.requires(OptionalLaw::FiniteInSingle) || are_below(&in_single(large)?, f64::INFINITY)?)
        {
            // A saturated layer has intermediate values of about 1 even if its results are tiny, and multiplies them by
            // its input.
            single_precision_above(large, LARGE_IN_SINGLE * f64::from(f32::EPSILON))?;
        }
        Ok(())
    }

    /// Checks the laws of every layer in `f32`. They hold bit for bit if they do in `f64`.
    fn laws_in_single<L: Layer<f64>>(&self, single: &Setting<L>) -> Result<(), Failure> {
        let both = [single, &single.in_training()];
        for single in if is_large(single) || !self.in_training { &both[..1] } else { &both } {
            each!(single; contract, repeat);
            if !is_large(single) {
                each!(
                    single; other_values, other_parameters, other_pass, other_cotangent, interleaved_with_itself,
                    carry_again,
                );
            }
            each!(
                single; replacing, omissions, zero_cotangent, zero_in_part_within(SINGLE),
                accumulation_within(Doubling::WithinRounding, SINGLE), linearity_within(SINGLE),
            );
        }
        Ok(())
    }
}
