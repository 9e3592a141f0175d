//! A layer without recurrence, with a switch for every mistake: `y = f(gain x)`, feature by feature, where `f` is the
//! identity, relu6 or a clamp. Some mistakes add dropout in training, or do part of the work in `f64`.

#![expect(clippy::needless_range_loop, reason = "indices as in the equations")]

use longhand::nalgebra::{DVector, convert, convert_unchecked};
use longhand::{Features, Layer, Pass, Scalar, Sequences};
use rand::RngExt;
use std::any::TypeId;

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The gain is used in `f64` and has no gradient.
    GainInDouble,
    /// Half of the gain is used in `f64`, and the gradient is that of the other half.
    HalfOfGainInDouble,
    /// The input is used in `f64` and has no gradient.
    InputInDouble,
    /// A mean over the features is subtracted. It is computed in `f64` and treated as a constant in backward.
    MeanInDouble,
    /// The input is used in `f64` in training.
    InputInDoubleInTraining,
    /// relu6 has the derivative 1 above 6.
    AboveSix,
    /// relu6 has the derivative 1 far below zero.
    FarBelowZero,
    /// relu6 has no derivative between 5 and 6.
    BelowSix,
    /// The derivative is NaN above 6.
    NanWhereLarge,
    /// The backward pass of an inference pass uses the mask of an earlier training pass.
    StaleMask,
    /// All training passes use the mask of the first training pass.
    MaskDrawnOnce,
    /// The scale of dropout is missing in backward.
    ScaleMissing,
    /// `features` returns one output too many.
    FeaturesOfOutput,
    /// `features` returns `Any`, but the output has one feature more than the input.
    OneMoreThanAny,
    /// In `f32`, the backward pass of an inference pass uses a stale mask.
    SingleStaleMask,
    /// In `f32`, relu6 has no derivative above one tenth.
    SingleAboveTenth,
    /// The forward pass panics if the batch has 35 sequences.
    PanicsAt35,
}

/// `y = f(gain x)`, feature by feature.
#[derive(Debug, Clone)]
pub struct Pointwise<T: Scalar> {
    pub gain: DVector<T>,
    pub mistake: Mistake,
}

longhand::tensors!(Pointwise { gain } keep { mistake });

impl<T: Scalar> Pointwise<T> {
    pub fn zeros(features: usize, mistake: Mistake) -> Self {
        Pointwise { gain: DVector::zeros(features), mistake }
    }

    fn more(&self) -> usize {
        usize::from(self.mistake == Mistake::OneMoreThanAny)
    }
}

fn is_single<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>()
}

/// Converts a value to `f64` and back, which drops the dual part.
fn dropped<T: Scalar>(x: T) -> T {
    convert(convert_unchecked::<T, f64>(x))
}

/// The output, the dropout mask, and whether the pass was a training pass.
pub struct Cache<T: Scalar> {
    output: Sequences<T>,
    mask: Vec<bool>,
    trained: bool,
}

impl<T: Scalar> Default for Cache<T> {
    fn default() -> Self {
        Cache { output: Sequences::default(), mask: Vec::new(), trained: false }
    }
}

impl<T: Scalar> Layer<T> for Pointwise<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<T>;

    fn name(&self) -> String {
        format!("Pointwise({})", self.gain.len())
    }

    fn features(&self) -> Features {
        let input = self.gain.len();
        match self.mistake {
            Mistake::FeaturesOfOutput => Features::Fixed { input, output: input + 1 },
            Mistake::OneMoreThanAny => Features::Any,
            _ => Features::Fixed { input, output: input },
        }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Cache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        use Mistake as M;
        assert!(self.mistake != M::PanicsAt35 || x.batch() != 35, "this layer panics on 35 sequences");
        let count = x.layout().columns() * x.features();
        cache.trained = matches!(pass, Pass::Train(_));
        let redraw = self.mistake != M::MaskDrawnOnce || cache.mask.len() != count;
        match pass {
            Pass::Train(generator) if redraw => {
                cache.mask = (0..count).map(|_| generator.random_bool(0.75)).collect();
            }
            Pass::Train(_) => {}
            Pass::Infer => {
                let stale = self.mistake == M::StaleMask || (is_single::<T>() && self.mistake == M::SingleStaleMask);
                if !stale || cache.mask.len() != count {
                    cache.mask = vec![true; count];
                }
            }
        }
        let (layout, features) = (x.layout(), x.features());
        cache.output.reshape(features + self.more(), layout);
        cache.output.values_mut().fill(T::zero());
        for column in 0..layout.columns() {
            let (step, b) = (column / layout.batch(), column % layout.batch());
            if !layout.is_valid(step, b) {
                continue;
            }
            let x = x.at(step, b);
            let mean = x.iter().fold(T::zero(), |sum, &x| sum + x) / convert::<f64, T>(features as f64);
            for i in 0..features {
                let (gain, half) = (self.gain[i], convert::<f64, T>(0.5));
                let in_training = cache.trained && self.mistake == M::InputInDoubleInTraining;
                let z = match self.mistake {
                    M::GainInDouble => dropped(gain) * x[i],
                    M::HalfOfGainInDouble => gain * half * x[i] + dropped(gain) * half * x[i],
                    M::InputInDouble => gain * dropped(x[i]),
                    M::MeanInDouble => gain * (x[i] - dropped(mean)),
                    _ if in_training => gain * dropped(x[i]),
                    _ => gain * x[i],
                };
                // Inference keeps every element, so a stale mask shows in the backward pass only.
                let kept = !cache.trained || cache.mask[column * features + i];
                let scale = if cache.trained { convert::<f64, T>(4.0 / 3.0) } else { T::one() };
                let six = convert::<f64, T>(6.0);
                let y = if z < T::zero() {
                    T::zero()
                } else if z > six {
                    six
                } else {
                    z
                };
                cache.output.at_mut(step, b)[i] = if kept { y * scale } else { T::zero() };
            }
        }
        &cache.output
    }

    fn output(cache: &Cache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Cache<T>,
        d_y: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_y = d_y.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let (layout, features) = (x.layout(), x.features());
        if let Some(d_x) = &mut d_x {
            d_x.reshape(features, layout);
            d_x.values_mut().fill(T::zero());
        }
        for column in 0..layout.columns() {
            let (step, b) = (column / layout.batch(), column % layout.batch());
            if !layout.is_valid(step, b) {
                continue;
            }
            let x = x.at(step, b);
            let mean = x.iter().fold(T::zero(), |sum, &x| sum + x) / convert::<f64, T>(features as f64);
            for i in 0..features {
                let centred = if self.mistake == M::MeanInDouble { x[i] - mean } else { x[i] };
                let z = self.gain[i] * centred;
                let real = |x: f64| convert::<f64, T>(x);
                let slope = match self.mistake {
                    M::AboveSix | M::NanWhereLarge => z > T::zero(),
                    M::FarBelowZero => (z > T::zero() || z < real(-10.0)) && z < real(6.0),
                    M::BelowSix => z > T::zero() && z < real(5.0),
                    M::SingleAboveTenth if is_single::<T>() => z > T::zero() && z < real(0.1),
                    _ => z > T::zero() && z < real(6.0),
                };
                let scale = if cache.trained && self.mistake != M::ScaleMissing { real(4.0 / 3.0) } else { T::one() };
                if !slope || !cache.mask[column * features + i] {
                    continue;
                }
                let mut d = d_y.at(step, b)[i] * scale;
                if self.mistake == M::NanWhereLarge && z > real(6.0) {
                    d *= T::zero() / T::zero();
                }
                gradients.gain[i] += match self.mistake {
                    M::GainInDouble => T::zero(),
                    M::HalfOfGainInDouble => d * centred * real(0.5),
                    _ => d * centred,
                };
                let in_training = cache.trained && self.mistake == M::InputInDoubleInTraining;
                if let Some(d_x) = &mut d_x
                    && self.mistake != M::InputInDouble
                    && !in_training
                {
                    d_x.at_mut(step, b)[i] = d * self.gain[i];
                }
            }
        }
    }
}
