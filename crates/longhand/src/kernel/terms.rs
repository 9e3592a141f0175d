//! Sums of one term per element, with the derivatives of each term: the pass of an element-wise loss.
//!
//! The sums are compensated: each lane has a sum and the sum of its rounding errors, which are exact (Knuth, "The Art of Computer
//! Programming", volume 2, section 4.2.2, theorem B). The total has the error of a single rounding, however many terms
//! there are.

use super::equations::{Rows, RowsMut};
use super::instruction_set::{InstructionSet, Kernel, run};
use super::precision::Precision;
use super::real::{Lanes, Real, Single};
use super::vector::{MOST_LANES, Vector};
use crate::Scalar;
use crate::scalar::{as_f64, is, real};
use core::cell::Cell;

/// The equations of an element-wise loss: a term and its derivatives, for one target and `OUTPUTS` outputs. `WEIGHTS` is the
/// number of weights of a feature, 0 or 1.
///
/// `term` must be `#[inline(always)]`, because it is compiled with an instruction set only if it is inlined into a kernel.
pub(crate) trait Terms<const OUTPUTS: usize, const WEIGHTS: usize>: Copy {
    /// Returns the term and its derivatives with respect to the outputs.
    fn term<V: Real>(self, outputs: [V; OUTPUTS], target: V, weights: [V; WEIGHTS]) -> (V, [V; OUTPUTS]);
}

/// Like [`Terms::term`], for scalars of any type.
pub(crate) fn term<T: Scalar, const OUTPUTS: usize, const WEIGHTS: usize>(
    equations: impl Terms<OUTPUTS, WEIGHTS>,
    outputs: [T; OUTPUTS],
    target: T,
    weights: [T; WEIGHTS],
) -> (T, [T; OUTPUTS]) {
    let (Single(term), derivatives) = equations.term(outputs.map(Single), Single(target), weights.map(Single));
    (term, derivatives.map(|Single(derivative)| derivative))
}

/// A compensated sum in each lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneSums<S> {
    sums: [S; MOST_LANES],
    rounded_away: [S; MOST_LANES],
}

impl<S: Scalar + Precision> LaneSums<S> {
    /// Empty sums.
    pub(crate) fn zero() -> Self {
        LaneSums { sums: [S::zero(); MOST_LANES], rounded_away: [S::zero(); MOST_LANES] }
    }

    /// The sum of all lanes.
    pub(crate) fn total(mut self) -> S {
        if is::<S, f32>() {
            // Double precision needs no compensation.
            let mut lanes: [f64; MOST_LANES] =
                core::array::from_fn(|lane| as_f64(self.sums[lane]) + as_f64(self.rounded_away[lane]));
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    lanes[lane] += lanes[lane + half];
                }
            }
            if lanes[0].is_finite() {
                return real(lanes[0]);
            }
        }
        let mut lanes = MOST_LANES / 2;
        while lanes > 0 {
            for lane in 0..lanes {
                let (a, b) = (self.sums[lane], self.sums[lane + lanes]);
                let sum = a + b;
                let of_b = sum - a;
                self.rounded_away[lane] += self.rounded_away[lane + lanes] + ((a - (sum - of_b)) + (b - of_b));
                self.sums[lane] = sum;
            }
            lanes /= 2;
        }
        let total = self.sums[0] + self.rounded_away[0];
        // An infinite sum has no rounding error.
        if total.is_finite() { total } else { self.sums[0] }
    }
}

/// Adds the term of each element of bands of equal shape to `sums`, and writes the derivatives times `scale` to `derivatives`,
/// if those are given; magnitudes below the threshold of [`flush_to_zero`](crate::flush_to_zero) become zero.
pub(crate) fn add_terms<S: Scalar + Precision, const OUTPUTS: usize, const WEIGHTS: usize>(
    equations: impl Terms<OUTPUTS, WEIGHTS>,
    outputs: [Rows<'_, S>; OUTPUTS],
    target: Rows<'_, S>,
    weights: [Rows<'_, S>; WEIGHTS],
    derivatives: Option<[RowsMut<'_, S>; OUTPUTS]>,
    scale: S,
    sums: &mut LaneSums<S>,
) {
    let (mut rows, mut columns) = (target.height, target.columns);
    let (mut one_shape, mut contiguous) = (true, target.column_stride == rows);
    for band in outputs.iter().chain(&weights) {
        one_shape &= band.height == rows && band.columns == columns;
        contiguous &= band.column_stride == rows;
    }
    for band in derivatives.iter().flatten() {
        one_shape &= band.height == rows && band.columns == columns;
        contiguous &= band.column_stride == rows;
    }
    assert!(one_shape, "the bands of a sum must have the same shape");
    if contiguous {
        // One long column has only one partial vector, instead of one per column.
        (rows, columns) = (rows * columns, 1);
    }
    let pass = Pass {
        equations,
        rows,
        columns,
        outputs: outputs.map(|band| (band.first, band.column_stride)),
        target: (target.first, target.column_stride),
        weights: weights.map(|band| (band.first, band.column_stride)),
        derivatives: derivatives.map(|bands| bands.map(|band| (band.first, band.column_stride))),
        scale,
        sums: Cell::new(*sums),
    };
    run(InstructionSet::best(), &pass);
    *sums = pass.sums.get();
}

/// A pass over bands, as pointers and column strides. [`add_terms`] checked that every element lies in its band, and that there
/// is no other reference to a derivative.
struct Pass<E, S, const OUTPUTS: usize, const WEIGHTS: usize> {
    equations: E,
    rows: usize,
    columns: usize,
    outputs: [(*const S, usize); OUTPUTS],
    target: (*const S, usize),
    weights: [(*const S, usize); WEIGHTS],
    derivatives: Option<[(*mut S, usize); OUTPUTS]>,
    scale: S,
    sums: Cell<LaneSums<S>>,
}

/// The compensated sums of all lanes of a vector.
#[derive(Clone, Copy)]
pub(super) struct CompensatedVector<V> {
    sum: V,
    rounded_away: V,
}

impl<V> CompensatedVector<V> {
    #[inline(always)]
    pub(super) fn zero<S: Precision>(token: V::Token) -> Self
    where
        V: Vector<S>,
    {
        let zero = V::splat(token, S::default());
        CompensatedVector { sum: zero, rounded_away: zero }
    }

    #[inline(always)]
    pub(super) fn add<S: Precision>(&mut self, term: V)
    where
        V: Vector<S>,
    {
        let total = self.sum.add(term);
        let of_term = total.sub(self.sum);
        let error = self.sum.sub(total.sub(of_term)).add(term.sub(of_term));
        self.rounded_away = self.rounded_away.add(error);
        self.sum = total;
    }

    /// The sum of all lanes, for terms that are finite or NaN, and of one sign: adding the lanes is not compensated.
    #[inline(always)]
    pub(super) fn total<S: Precision>(self) -> S
    where
        V: Vector<S>,
    {
        self.sum.add(self.rounded_away).sum_of_lanes()
    }
}

impl<S, E, const OUTPUTS: usize, const WEIGHTS: usize> Pass<E, S, OUTPUTS, WEIGHTS>
where
    S: Scalar + Precision,
    E: Terms<OUTPUTS, WEIGHTS>,
{
    /// One vector of `count` rows, which may be fewer than the lanes.
    ///
    /// # Safety
    /// The rows must lie in each band.
    #[inline(always)]
    unsafe fn step<V: Vector<S>>(
        &self,
        token: V::Token,
        [column, row, count]: [usize; 3],
        sums: &mut CompensatedVector<V>,
    ) {
        let zero = Lanes::<S, V>::new(V::splat(token, S::zero()));
        let (mut outputs, mut target, mut weights) = ([zero; OUTPUTS], zero, [zero; WEIGHTS]);
        // SAFETY: the caller guarantees the rows.
        unsafe {
            for i in 0..OUTPUTS {
                let (first, stride) = self.outputs[i];
                outputs[i].vector = V::load_up_to(token, first.add(column * stride + row), count);
            }
            let (first, stride) = self.target;
            target.vector = V::load_up_to(token, first.add(column * stride + row), count);
            for i in 0..WEIGHTS {
                let (first, stride) = self.weights[i];
                weights[i].vector = V::load_up_to(token, first.add(column * stride + row), count);
            }
        }
        let (term, results) = self.equations.term(outputs, target, weights);
        if count == V::LANES {
            sums.add(term.vector);
        } else {
            // The lanes beyond the last row have the term of zeros, which may not be zero.
            // SAFETY: there is a number for each lane.
            let lane = unsafe { V::load(token, S::LANE_NUMBERS.as_ptr()) };
            sums.add(V::splat(token, S::LANE_NUMBERS[count]).sub(lane).where_positive(term.vector));
        }
        if let Some(derivatives) = self.derivatives {
            for i in 0..OUTPUTS {
                let (first, stride) = derivatives[i];
                let scaled = results[i].vector.mul(V::splat(token, self.scale));
                let flushed = scaled.where_bits(V::splat(token, S::KEPT));
                // SAFETY: the caller guarantees the rows.
                unsafe {
                    let to = first.add(column * stride + row);
                    if count == V::LANES { flushed.store(to) } else { flushed.store_first(to, count) }
                }
            }
        }
    }
}

impl<S, E, const OUTPUTS: usize, const WEIGHTS: usize> Kernel<S> for Pass<E, S, OUTPUTS, WEIGHTS>
where
    S: Scalar + Precision,
    E: Terms<OUTPUTS, WEIGHTS>,
{
    #[inline(always)]
    fn run<V: Vector<S>>(&self, token: V::Token) {
        let (rows, whole) = (self.rows, self.rows - self.rows % V::LANES);
        let mut lane_sums = self.sums.get();
        // SAFETY: the arrays have the number of lanes of the widest vector. The rows of whole vectors lie in each band, and
        // so do the first rows of the last vector.
        unsafe {
            let mut sums = CompensatedVector {
                sum: V::load(token, lane_sums.sums.as_ptr()),
                rounded_away: V::load(token, lane_sums.rounded_away.as_ptr()),
            };
            for column in 0..self.columns {
                let mut row = 0;
                while row < whole {
                    self.step(token, [column, row, V::LANES], &mut sums);
                    row += V::LANES;
                }
                if row < rows {
                    self.step(token, [column, row, rows - row], &mut sums);
                }
            }
            sums.sum.store(lane_sums.sums.as_mut_ptr());
            sums.rounded_away.store(lane_sums.rounded_away.as_mut_ptr());
        }
        self.sums.set(lane_sums);
    }
}
