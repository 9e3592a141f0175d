//! Mistakes at exact zeros, in marks, in state that training leaves in a layer, and in `f32` only. The layer scales and
//! shifts each feature: `y = gain * x + bias`.

use super::assert_each_rejected;
use longhand::nalgebra::{DVector, convert, convert_unchecked};
use longhand::{Features, Layer, Pass, Scalar, Sequences};
use longhand_gradcheck::{Checker, check, prove};
use std::any::TypeId;
use std::cell::{Cell, RefCell};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// The gradient of a bias that is zero is omitted.
    ZeroBiasSkipped,
    /// `d_gain` uses `x = (y - bias) / gain`.
    DividedByGain,
    /// Where `x` is zero, the bias gets no gradient.
    ZeroInputSkipped,
    /// A step of zeros is treated as padding and adds nothing to the bias's gradient.
    ZeroStepIsPadding,
    /// The output has no resets.
    ResetsLost,
    /// The output has a reset of the first sequence at the last step.
    ResetInvented,
    /// After a training pass, inference passes are scaled as in training.
    TrainingShowsLater,
    /// The input is copied into the cache again only if its first element changed.
    StaleAfterTheFirst,
    /// The gain is copied into the cache again only if the bias changed.
    StaleWithTheBias,
    /// The gain is stored in the layer again only if its first element changed.
    StoredByTheFirst,
    /// The gain is stored in the layer again only if the bias changed.
    StoredWithTheBias,
    /// A buffer in the layer has the size of the first call. Further columns are zero.
    SizedByTheFirstCall,
    /// A step that equals the step before adds nothing to the bias's gradient.
    EqualStepSkipped,
    /// Wrong for 50 features.
    FiftyFeatures,
    /// Wrong for a remainder of 9 to 15 features modulo 16.
    HalfRegisterLeftOver,
    /// Wrong for a remainder of 5 to 7 sequences modulo 8.
    SequencesLeftOver,
    /// Wrong for 32 sequences.
    ThirtyTwoSequences,
    /// In `f32`, small cotangents are skipped.
    SmallSkippedInSingle,
    /// In `f32`, cotangents are clipped.
    ClippedInSingle,
    /// In `f32`, in training, the bias's gradient is doubled.
    DoubledInSingleTraining,
    /// In `f32`, where `x` is zero, the bias gets no gradient.
    ZeroInputSkippedInSingle,
    /// In `f32`, an intermediate result overflows for large inputs.
    OverflowsInSingle,
    /// In `f32`, inputs above 10 have no gradient.
    ClampedInSingle,
}

#[derive(Debug, Clone)]
struct Affine<T> {
    gain: DVector<T>,
    bias: DVector<T>,
    mistake: Mistake,
    has_trained: Cell<bool>,
    columns: Cell<usize>,
    /// The gain and the bias, stored by some mistakes.
    stored: RefCell<[Vec<f64>; 2]>,
}

longhand::tensors!(Affine { gain, bias } keep { mistake, has_trained, columns, stored });

impl<T: Scalar> Affine<T> {
    fn zeros(features: usize, mistake: Mistake) -> Self {
        let zeros = DVector::zeros(features);
        Affine {
            gain: zeros.clone(),
            bias: zeros,
            mistake,
            has_trained: Cell::new(false),
            columns: Cell::new(0),
            stored: RefCell::default(),
        }
    }

    /// The gain. In `f64`, some mistakes use a stored gain that may be stale.
    fn gain(&self) -> Vec<T> {
        if TypeId::of::<T>() != TypeId::of::<f64>() {
            return self.gain.as_slice().to_vec();
        }
        let numbers = |values: &DVector<T>| values.iter().map(|&x| convert_unchecked(x)).collect::<Vec<f64>>();
        let now = [numbers(&self.gain), numbers(&self.bias)];
        let mut stored = self.stored.borrow_mut();
        let is_stored = match self.mistake {
            Mistake::StoredByTheFirst => stored[0].first() == now[0].first(),
            Mistake::StoredWithTheBias => stored[1] == now[1],
            _ => false,
        };
        if is_stored && stored[0].len() == now[0].len() {
            return stored[0].iter().map(|&x| convert(x)).collect();
        }
        *stored = now;
        self.gain.as_slice().to_vec()
    }

    /// Whether a column fits into the buffer of the layer.
    fn has_room(&self, column: usize) -> bool {
        !self.is(Mistake::SizedByTheFirstCall) || column < self.columns.get()
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }
}

impl<T: Scalar> Layer<T> for Affine<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output, whether the pass is a training pass, and copies of the input, the bias and the gain.
    type Cache = (Sequences<T>, bool, Sequences<T>, Vec<T>, Vec<T>);

    fn name(&self) -> String {
        format!("Affine({})", self.gain.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        (y, trains, input, bias, gain): &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let layout = x.layout();
        if self.columns.get() == 0 {
            self.columns.set(layout.columns());
        }
        let is_single = TypeId::of::<T>() == TypeId::of::<f32>();
        *trains = matches!(pass, Pass::Train(_));
        if *trains && self.is(Mistake::TrainingShowsLater) {
            self.has_trained.set(true);
        }
        let first = |x: &Sequences<T>| x.values().as_slice().first().copied();
        let same_shape = input.values().shape() == x.values().shape();
        if !(self.is(Mistake::StaleAfterTheFirst) && same_shape && first(input) == first(x)) {
            input.clone_from(x);
        }
        if !(self.is(Mistake::StaleWithTheBias) && bias.as_slice() == self.bias.as_slice()) {
            (*bias, *gain) = (self.bias.as_slice().to_vec(), self.gain());
        }
        let resets = |step, b| match self.mistake {
            Mistake::ResetsLost => false,
            Mistake::ResetInvented => layout.resets(step, b) || (b == 0 && step + 1 == layout.steps()),
            _ => layout.resets(step, b),
        };
        y.reshape_marked(x.features(), layout.steps(), layout.batch(), |step, b| layout.is_valid(step, b), resets);
        for step in 0..layout.steps() {
            for b in 0..layout.batch() {
                for (i, &gain) in gain.iter().enumerate() {
                    let shift = if self.has_trained.get() && !*trains { T::one() } else { T::zero() };
                    let mut x = input.at(step, b)[i];
                    if is_single && self.is(Mistake::OverflowsInSingle) {
                        x = x * x.exp() / x.exp();
                    }
                    y.at_mut(step, b)[i] = gain * x + self.bias[i] + shift;
                    if !self.has_room(layout.column(step, b)) {
                        y.at_mut(step, b)[i] = T::zero();
                    }
                }
            }
        }
        y.clear_padding();
        y
    }

    fn output((y, ..): &Self::Cache) -> &Sequences<T> {
        y
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Self::Cache,
        d_y: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_y = d_y.unwrap_or(&zeros);
        let (y, trains, ..) = cache;
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let (layout, zero) = (x.layout(), T::zero());
        let single = TypeId::of::<T>() == TypeId::of::<f32>();
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
        }
        for step in 0..layout.steps() {
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                if !self.has_room(layout.column(step, b)) {
                    if let Some(d_x) = &mut d_x {
                        d_x.at_mut(step, b).fill(zero);
                    }
                    continue;
                }
                let is_equal = step > 0 && x.at(step, b) == x.at(step - 1, b);
                let left_over = (9..16).contains(&(self.gain.len() % 16));
                let zero_step = x.at(step, b).iter().all(|&x| x == zero);
                for i in 0..self.gain.len() {
                    let (x_i, mut d) = (x.at(step, b)[i], d_y.at(step, b)[i]);
                    let small = convert::<f64, T>(1e-6);
                    let large = convert::<f64, T>(1000.0);
                    if single && self.is(Mistake::SmallSkippedInSingle) && d.abs() < small {
                        d = zero;
                    }
                    if single && self.is(Mistake::ClippedInSingle) && d.abs() > large {
                        d = zero;
                    }
                    let divided = (y.at(step, b)[i] - self.bias[i]) / self.gain[i];
                    gradients.gain[i] += d * if self.is(Mistake::DividedByGain) { divided } else { x_i };
                    let skipped = match self.mistake {
                        Mistake::ZeroBiasSkipped => self.bias[i] == zero,
                        Mistake::ZeroInputSkipped => x_i == zero,
                        Mistake::ZeroInputSkippedInSingle => single && x_i == zero,
                        Mistake::EqualStepSkipped => is_equal,
                        Mistake::ClampedInSingle => single && x_i.abs() > convert(10.0),
                        Mistake::HalfRegisterLeftOver => left_over && i % 16 > 8,
                        Mistake::SequencesLeftOver => layout.batch() % 8 > 4 && b == 4,
                        Mistake::ZeroStepIsPadding => zero_step,
                        _ => false,
                    };
                    if !skipped {
                        gradients.bias[i] += d;
                    }
                    if single && *trains && self.is(Mistake::DoubledInSingleTraining) {
                        gradients.bias[i] += d;
                    }
                    if self.is(Mistake::FiftyFeatures) && self.gain.len() == 50
                        || self.is(Mistake::ThirtyTwoSequences) && layout.batch() == 32
                    {
                        gradients.bias[i] += d;
                    }
                    if let Some(d_x) = &mut d_x {
                        d_x.at_mut(step, b)[i] = d * self.gain[i];
                    }
                }
            }
        }
        if let Some(d_x) = d_x {
            d_x.clear_padding();
        }
    }
}

#[test]
fn mistakes_around_zeros_and_marks_are_rejected() {
    let mistakes = [
        (Mistake::ZeroBiasSkipped, "next to zero"),
        (Mistake::DividedByGain, ""),
        (Mistake::ZeroInputSkipped, "next to zero"),
        (Mistake::ZeroStepIsPadding, "next to zero"),
        (Mistake::ResetsLost, "has a reset"),
        (Mistake::ResetInvented, "has a reset"),
        (Mistake::TrainingShowsLater, ""),
        (Mistake::StaleAfterTheFirst, "stale"),
        (Mistake::StaleWithTheBias, "stale"),
        (Mistake::StoredByTheFirst, "stored"),
        (Mistake::StoredWithTheBias, "stored"),
        (Mistake::SizedByTheFirstCall, "keep its size"),
        (Mistake::EqualStepSkipped, "step before"),
        (Mistake::ZeroInputSkippedInSingle, "next to zero"),
        (Mistake::ClampedInSingle, "in f32"),
        (Mistake::SmallSkippedInSingle, ""),
        (Mistake::ClippedInSingle, ""),
        (Mistake::DoubledInSingleTraining, ""),
    ];
    assert_each_rejected(&mistakes, |mistake, case| check(&Affine::zeros(case.inputs, mistake), case));
}

/// `finite_in_single` is optional, because `ln(1 + exp(x))` overflows too.
#[test]
fn an_overflow_in_single_precision_is_rejected() {
    let checker = Checker::new().finite_in_single();
    assert_each_rejected(&[(Mistake::OverflowsInSingle, "in f32")], |mistake, case| {
        checker.layer(&Affine::zeros(case.inputs, mistake), case)
    });
}

#[test]
fn mistakes_at_common_sizes_are_rejected() {
    use Mistake as M;
    for mistake in [M::FiftyFeatures, M::ThirtyTwoSequences, M::HalfRegisterLeftOver, M::SequencesLeftOver] {
        let found = Checker::new().cases(1).try_prove(|case| Affine::zeros(case.hidden.max(case.inputs), mistake));
        found.expect_err(&format!("{mistake:?} is not rejected"));
    }
}

#[test]
fn the_same_layer_without_mistakes_is_accepted() {
    prove(|case| Affine::zeros(case.inputs, Mistake::None));
}
