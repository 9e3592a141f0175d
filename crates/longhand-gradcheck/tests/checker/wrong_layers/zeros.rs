//! Mistakes around exact zeros, lost marks, state that training leaves in a layer, and `f32` alone, in a layer that scales and
//! shifts each feature: `y = gain * x + bias`.

use super::bites;
use longhand::nalgebra::DVector;
use longhand::{Features, Layer, Pass, Scalar, Sequences};
use longhand_gradcheck::{Checker, check, prove};
use std::any::TypeId;
use std::cell::Cell;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// The gradient of a bias that is zero is left out.
    ZeroBiasSkipped,
    /// `d_gain` from `x = (y - bias) / gain`.
    DividedByGain,
    /// Where `x` is zero, the bias has no gradient either.
    ZeroInputSkipped,
    /// A step of zeros is taken for padding: it adds nothing to the bias's gradient.
    ZeroStepIsPadding,
    /// The output has no resets.
    ResetsLost,
    /// The first sequence starts anew at the last step.
    ResetInvented,
    /// After a training pass, inference is scaled as in training.
    TrainingShowsLater,
    /// The input is copied into the cache again only if its first element changed.
    StaleAfterTheFirst,
    /// The gain is copied into the cache again only if the bias changed.
    StaleWithTheBias,
    /// Wrong for 50 features.
    FiftyFeatures,
    /// Wrong for 32 sequences.
    ThirtyTwoSequences,
    /// `f32`: small cotangents are skipped.
    SmallSkippedInSingle,
    /// `f32`: cotangents are clipped.
    ClippedInSingle,
    /// `f32`, in training: the bias's gradient is doubled.
    DoubledInSingleTraining,
}

#[derive(Debug, Clone)]
struct Affine<T> {
    gain: DVector<T>,
    bias: DVector<T>,
    mistake: Mistake,
    has_trained: Cell<bool>,
}

longhand::tensors!(Affine { gain, bias } keep { mistake, has_trained });

impl<T: Scalar> Affine<T> {
    fn zeros(features: usize, mistake: Mistake) -> Self {
        let zeros = DVector::zeros(features);
        Affine { gain: zeros.clone(), bias: zeros, mistake, has_trained: Cell::new(false) }
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }
}

impl<T: Scalar> Layer<T> for Affine<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output, whether it is of a training pass, and copies of the input, the bias and the gain.
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
            (*bias, *gain) = (self.bias.as_slice().to_vec(), self.gain.as_slice().to_vec());
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
                    y.at_mut(step, b)[i] = gain * input.at(step, b)[i] + self.bias[i] + shift;
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
        (y, trains, ..): &mut Self::Cache,
        d_y: &Sequences<T>,
        (): &mut (),
        gradients: &mut Self,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let (layout, zero) = (x.layout(), T::zero());
        let single = TypeId::of::<T>() == TypeId::of::<f32>();
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
        }
        for step in 0..layout.steps() {
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                let zero_step = x.at(step, b).iter().all(|&x| x == zero);
                for i in 0..self.gain.len() {
                    let (x_i, mut d) = (x.at(step, b)[i], d_y.at(step, b)[i]);
                    let small = longhand::nalgebra::convert::<f64, T>(1e-6);
                    let large = longhand::nalgebra::convert::<f64, T>(1000.0);
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
        (Mistake::ZeroBiasSkipped, "beside zero"),
        (Mistake::DividedByGain, ""),
        (Mistake::ZeroInputSkipped, "beside zero"),
        (Mistake::ZeroStepIsPadding, "beside zero"),
        (Mistake::ResetsLost, "starts anew"),
        (Mistake::ResetInvented, "starts anew"),
        (Mistake::TrainingShowsLater, ""),
        (Mistake::StaleAfterTheFirst, "stale"),
        (Mistake::StaleWithTheBias, "stale"),
        (Mistake::SmallSkippedInSingle, ""),
        (Mistake::ClippedInSingle, ""),
        (Mistake::DoubledInSingleTraining, ""),
    ];
    bites(&mistakes, |mistake, case| check(&Affine::zeros(case.inputs, mistake), case));
}

#[test]
fn mistakes_at_common_sizes_are_rejected() {
    for mistake in [Mistake::FiftyFeatures, Mistake::ThirtyTwoSequences] {
        let found = Checker::new().cases(1).try_prove(|case| Affine::zeros(case.hidden.max(case.inputs), mistake));
        found.expect_err(&format!("{mistake:?} survives"));
    }
}

#[test]
fn the_same_layer_without_mistakes_is_accepted() {
    prove(|case| Affine::zeros(case.inputs, Mistake::None));
}
