//! The laws of a layer in `f32`.

use super::layers::{context, each, is_large};
use super::{Checker, OnRequest};
use crate::erased::{Erased, ErasedSequenceLayer, Visible};
use crate::failure::Failure;
use crate::law::Law;
use crate::laws::{self, Doubling};
use crate::panics::caught;
use crate::setting::Setting;
use longhand::Layer;

/// The difference that is accepted in `f32` where a law holds within rounding, relative to the largest number.
const SINGLE: f64 = 1e-4;

/// How many times as large the input is where `f32` is checked far from zero: `exp` overflows there.
const LARGE_IN_SINGLE: f64 = 100.0;
/// Where a layer gives larger numbers in `f64`, `f32` need not hold them.
const LARGEST_IN_SINGLE: f64 = 1e30;

fn single_precision<V: Visible>(setting: &Setting<Erased<V>>) -> Result<(), Failure> {
    single_precision_above(setting, laws::VANISHED)
}

fn single_precision_above<V: Visible>(setting: &Setting<Erased<V>>, floor: f64) -> Result<(), Failure> {
    caught(
        "laws::single_precision",
        || context(setting),
        || laws::precision_of(setting, floor, &|rounded| rounded.in_single().passes().parts("")),
    )
}

/// Whether every number of the passes is smaller than this.
fn are_below<V: Visible>(setting: &Setting<Erased<V>>, bound: f64) -> Result<bool, Failure> {
    let parts = || Ok(setting.passes().parts(""));
    let parts = caught("laws::single_precision", || context(setting), parts)?;
    Ok(parts.iter().flat_map(|(_, values)| values).all(|x| x.abs() < bound))
}

fn in_single<V: Visible>(setting: &Setting<Erased<V>>) -> Result<Setting<Erased<V>>, Failure> {
    caught("InSingle::of", || context(setting), || Ok(setting.in_single()))
}

impl Checker {
    /// A layer of sequences in `f32`: beside `f64`, and every law.
    pub(super) fn sequences_in_single(&self, setting: &Setting<ErasedSequenceLayer>) -> Result<(), Failure> {
        single_precision(setting)?;
        single_precision(&setting.with_zero_carry())?;
        if self.asks(Law::LargeInputs) {
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
        if self.asks(Law::Padding) {
            each!(single; padding);
        }
        Ok(())
    }

    /// A layer of any kind of input in `f32`: beside `f64`, and the laws of every layer.
    pub(super) fn any_layer_in_single<V: Visible>(&self, setting: &Setting<Erased<V>>) -> Result<(), Failure> {
        single_precision(setting)?;
        self.laws_in_single(&in_single(setting)?)
    }

    /// `f32` agrees with `f64` where the input is large, as far as `f32` can hold the numbers. Where it overflows on the way,
    /// the layer is rejected only if [`Checker::finite_in_single`] asks for that.
    fn large_inputs_in_single(&self, setting: &Setting<ErasedSequenceLayer>) -> Result<(), Failure> {
        let large = &laws::with_large_inputs(setting, LARGE_IN_SINGLE);
        if are_below(large, LARGEST_IN_SINGLE)?
            && (self.requests(OnRequest::FiniteInSingle) || are_below(&in_single(large)?, f64::INFINITY)?)
        {
            // A saturated layer has numbers of the order of 1 inside even where its results are tiny, and multiplies by its input.
            single_precision_above(large, LARGE_IN_SINGLE * f64::from(f32::EPSILON))?;
        }
        Ok(())
    }

    /// The laws of every layer in `f32`: bit for bit where they hold bit for bit in `f64`.
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
