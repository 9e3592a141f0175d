//! Puts mistakes into the results of the right backward pass, and into the marks passed to it.

use super::{Around, Cache, Mistake, is_single};
use longhand::nalgebra::{DMatrix, convert, convert_unchecked};
use longhand::{Elman, Layout, Scalar, Sequences};
use std::any::TypeId;

impl<T: Scalar> Around<T> {
    pub(super) fn corrupt_parameters(&self, input: &Sequences<T>, d_output: &Sequences<T>, own: &mut Elman<T>) {
        use Mistake as M;
        let (inputs, units, batch) = (input.features(), own.bias_hh_l0.len(), input.batch());
        let double = match self.mistake {
            M::UnitsInFours => units >= 16 && units.is_multiple_of(4),
            M::SixteenSequences => batch == 16,
            M::Fours => (inputs, units, batch) == (4, 4, 4),
            M::OneSequence => batch == 1,
            _ => false,
        };
        if double {
            own.bias_hh_l0 *= convert::<f64, T>(2.0);
        }
        if self.has(M::DoubleOnly) && TypeId::of::<T>() == TypeId::of::<f64>() {
            own.bias_hh_l0 *= convert::<f64, T>(1.001);
        }
        if self.has(M::Beyond33Units) && units > 33 {
            own.bias_hh_l0.rows_mut(33, units - 33).fill(T::zero());
        }
        if is_single::<T>() && self.has(M::SinglePaddingTimesZero) {
            let padding = d_output.values().iter().fold(T::zero(), |sum, &d| sum + T::zero() * d);
            own.bias_hh_l0.iter_mut().for_each(|g| *g += padding);
        }
    }

    pub(super) fn corrupt_input(&self, input: &Sequences<T>, cache: &mut Cache<T>, d_x: &mut Sequences<T>) {
        use Mistake as M;
        let layout = input.layout();
        if self.has_either(M::DeltaInCache, M::SingleDeltaInCache) {
            *d_x = cache.d_input.get_or_insert_with(|| d_x.clone()).clone();
        }
        if self.has(M::TransposeInLayer)
            && let Some((stored, _)) = &*self.stored.borrow()
        {
            // Wrong only if the stored weight is stale.
            for (now, &then) in self.inner.weight_ih_l0.transpose().iter().zip(stored) {
                if convert_unchecked::<T, f64>(*now).to_bits() != then.to_bits() {
                    *d_x.values_mut() *= convert::<f64, T>(0.9);
                    break;
                }
            }
        }
        let square = self.inner.weight_ih_l0.is_square() && input.features() > 1;
        for step in 0..layout.steps() {
            for b in 0..layout.batch() {
                let valid = layout.is_valid(step, b);
                let wrong = match self.mistake {
                    M::Beyond64Steps => step > 64,
                    M::Beyond128Steps => step > 128,
                    M::GapAt32 => step == 32 && !valid,
                    M::MaskOfFourth => b % 4 == 3 && !valid,
                    M::Square => square && valid,
                    _ => false,
                };
                if wrong {
                    let value = if valid { T::zero() } else { convert::<f64, T>(0.5) };
                    d_x.at_mut(step, b).iter_mut().for_each(|d| *d = *d * convert::<f64, T>(0.5) + value);
                }
                if self.has(M::Beyond32Inputs) {
                    d_x.at_mut(step, b).iter_mut().skip(32).for_each(|d| *d = T::zero());
                }
            }
        }
    }

    pub(super) fn corrupt_carry(&self, came_in: &DMatrix<T>, d_carry: &mut DMatrix<T>) {
        use Mistake as M;
        let zero = |column: usize| came_in.column(column).iter().all(|&h| h == T::zero());
        if self.has_either(M::ZeroCarry, M::SingleZeroCarry) && (0..came_in.ncols()).all(zero) {
            d_carry.fill(T::zero());
        }
        if self.has(M::ZeroCarryOfOneSequence) && came_in.ncols() > 0 && zero(0) {
            d_carry.column_mut(0).fill(T::zero());
        }
        if self.has(M::Beyond32Sequences) && d_carry.ncols() > 32 {
            let count = d_carry.ncols() - 32;
            d_carry.columns_mut(32, count).fill(T::zero());
        }
    }
}

/// The layout without the resets at multiples of 16 steps.
pub(super) fn without_resets_at_16(layout: &Layout) -> Layout {
    let (steps, batch) = (layout.steps(), layout.batch());
    let valid = (0..steps * batch).map(|column| layout.is_valid(column / batch, column % batch)).collect();
    let mut other = Layout::new(steps, batch).with_valid(valid).expect("one mark per column");
    for step in (0..steps).filter(|&step| step == 0 || !step.is_multiple_of(16)) {
        for b in layout.resets_at(step) {
            other = other.with_reset(step, b);
        }
    }
    other
}
