//! A highway around a layer (Srivastava, Greff and Schmidhuber, "Highway Networks", 2015, equation 3): a residual connection with a
//! gate.
//!
//! # Equations
//! At each step,
//!
//! ```text
//! t = s(W x + b)      y = t * f(x) + (1 - t) * x
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `f` | `inner` | gives as many features and steps as it takes |
//! | `x`, `y` | `input`, `output` | `features x (steps * batch)`; `y` is zero at invalid steps |
//! | `t` | `gate` in the cache | `features x (steps * batch)` |
//! | `W`, `b` | `gate.weight`, `gate.bias` | `features x features`, `features` |
//!
//! `s` is the logistic function. Where the gate `t` is 0, the input passes unchanged; where it is 1, the layer is `f` alone. The bias
//! is negative at first, so that a deep stack begins close to the identity (section 2.2 of the paper). Resets and the carry are
//! those of `f`.
//!
//! # Derivation of the backward pass
//! With `z = W x + b`, and `s' = s (1 - s)`, the product rule gives
//!
//! ```text
//! d_f  = t * d_y
//! d_z  = d_y * (f(x) - x) * t * (1 - t)
//! d_x  = f'(x)' d_f + (1 - t) * d_y + W' d_z
//! d_W += sum of d_z[t] x[t]'      d_b += sum of d_z[t]
//! ```
//!
//! The input is used three times, so `d_x` has three terms. The first one, and the gradients of the parameters of `f`, are the
//! inner layer's.

use super::linear::{Linear, LinearCache};
use super::shapes::{check_backward, check_input};
use crate::hyperparameters::check_finite;
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::real;
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences, ShapeError};
use alloc::{format, string::String};
use rand::Rng;

/// `t * f(x) + (1 - t) * x` with a learned gate `t`; see the [module](self).
///
/// ```
/// use longhand::{Gru, Highway, Layer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let g = &mut ChaCha8Rng::seed_from_u64(1);
/// let layer = Highway::<f32, _>::new(8, Gru::new(8, 8, g), g)?;
/// assert_eq!(layer.name(), "Highway(Gru(8 -> 8))");
/// # Ok::<(), longhand::ShapeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Highway<T: Scalar, L> {
    /// `W` and `b`: the layer whose logistic function is the gate.
    gate: Linear<T>,
    /// `f`.
    inner: L,
}

crate::tensors!(Highway<T, L> { gate, inner });

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Highway<T, L> {
    /// A highway of `features` features around `inner`, with a gate like [`Linear::new`], whose bias is -1.
    ///
    /// # Errors
    /// If `inner` takes or gives another number of features.
    pub fn new<R: Rng + ?Sized>(features: usize, inner: L, generator: &mut R) -> Result<Self, ShapeError> {
        let mut highway = Highway::zeros(features, inner)?;
        highway.gate = Linear::new(features, features, generator);
        highway.gate.bias.fill(-T::one());
        Ok(highway)
    }

    /// A highway whose gate has parameters of zero, to be filled. The parameters of `inner` stay as they are.
    ///
    /// # Errors
    /// If `inner` takes or gives another number of features.
    pub fn zeros(features: usize, inner: L) -> Result<Self, ShapeError> {
        match inner.features() {
            Features::Fixed { input, output } if input != features || output != features => {
                Err(ShapeError::Highway { layer: inner.name(), takes: input, gives: output, features })
            }
            _ => Ok(Highway { gate: Linear::zeros(features, features), inner }),
        }
    }

    /// Sets every element of the gate's bias. The paper uses -1 to -3; the lower, the more of the input passes at first.
    ///
    /// # Errors
    /// If `bias` is not finite in `T`.
    pub fn with_gate_bias(mut self, bias: f64) -> Result<Self, HyperparameterError> {
        check_finite::<T>("gate bias", bias)?;
        self.gate.bias.fill(real(bias));
        Ok(self)
    }
}

impl<T: Scalar, L> Highway<T, L> {
    /// The layer whose logistic function is the gate.
    pub fn gate(&self) -> &Linear<T> {
        &self.gate
    }

    /// The same, to be changed.
    pub fn gate_mut(&mut self) -> &mut Linear<T> {
        &mut self.gate
    }

    /// The inner layer, `f`.
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// The inner layer, to be changed.
    pub fn inner_mut(&mut self) -> &mut L {
        &mut self.inner
    }
}

/// The output of [`Highway`], and the values and buffers of both passes.
pub struct HighwayCache<T: Scalar, C> {
    output: Sequences<T>,
    inner: C,
    gate: Sequences<T>,
    linear: LinearCache<T>,
    d_inner: Sequences<T>,
    d_gate: Sequences<T>,
    d_input_of_gate: Sequences<T>,
}

impl<T: Scalar, C: Default> Default for HighwayCache<T, C> {
    fn default() -> Self {
        HighwayCache {
            output: Sequences::default(),
            inner: C::default(),
            gate: Sequences::default(),
            linear: LinearCache::default(),
            d_inner: Sequences::default(),
            d_gate: Sequences::default(),
            d_input_of_gate: Sequences::default(),
        }
    }
}

/// `t` and `y` from `x`, `f` and `z`.
#[derive(Clone, Copy)]
pub(crate) struct Forward;

compiled_here!(Forward, 2, 2);

impl<T: Scalar> Equations<T, 2, 2> for Forward {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [x, f]: [V; 2], [z, _]: [V; 2]) -> [V; 2] {
        let t = z.sigmoid();
        [t, t * f + (t.number(1.0) - t) * x]
    }
}

/// `d_f` and `d_z` from `x`, `f`, `t` and `d_y`.
#[derive(Clone, Copy)]
struct Backward;

compiled_here!(Backward, 4, 2);

impl<T: Scalar> Equations<T, 4, 2> for Backward {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [x, f, t, d_y]: [V; 4], _: [V; 2]) -> [V; 2] {
        let d_z = d_y * (f - x) * t * (t.number(1.0) - t);
        [(t * d_y).flush_to_zero(), d_z.flush_to_zero()]
    }
}

/// `d_x += d_x of the gate + (1 - t) d_y`.
#[derive(Clone, Copy)]
struct AddPaths;

compiled_here!(AddPaths, 3, 1);

impl<T: Scalar> Equations<T, 3, 1> for AddPaths {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [of_gate, t, d_y]: [V; 3], [d_x]: [V; 1]) -> [V; 1] {
        [d_x + (of_gate + (t.number(1.0) - t) * d_y)]
    }
}

fn slice<T: Scalar>(sequences: &Sequences<T>) -> &[T] {
    sequences.values().as_slice()
}

fn slice_mut<T: Scalar>(sequences: &mut Sequences<T>) -> &mut [T] {
    sequences.values_mut().as_mut_slice()
}

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Layer<T> for Highway<T, L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = L::Carry;
    type Cache = HighwayCache<T, L::Cache>;

    fn name(&self) -> String {
        format!("Highway({})", self.inner.name())
    }

    fn features(&self) -> Features {
        self.gate.features()
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.inner.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut L::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let features = self.gate.inputs();
        check_input(|| self.name(), features, input);
        let HighwayCache { output, inner, gate, linear, .. } = cache;
        let z = self.gate.forward(input, &mut (), linear, pass);
        let f = self.inner.forward(input, carry, inner, pass);
        assert!(
            f.features() == features && z.features() == features && f.layout().has_size_of(input.layout()),
            "a highway needs as many features and steps as it takes (layer `{}`): {features} features at {} steps in, {} features \
             at {} steps out",
            self.inner.name(),
            input.steps(),
            f.features(),
            f.steps()
        );
        for values in [&mut *output, &mut *gate] {
            values.reshape(features, input.layout());
        }
        slice_mut(gate).copy_from_slice(slice(z));
        each(Forward, [slice(input), slice(f)], [slice_mut(gate), slice_mut(output)]);
        output.clear_padding();
        output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        let (features, layout) = (self.gate.inputs(), input.layout());
        let HighwayCache { output, inner, gate, linear, d_inner, d_gate, d_input_of_gate } = cache;
        check_backward(|| self.name(), output, features, layout, d_output);
        check_input(|| self.name(), features, input);
        let (of_gate, of_inner) = gradients.parts(|highway| (&mut highway.gate, &mut highway.inner));
        if let Some(d_output) = d_output {
            for values in [&mut *d_inner, &mut *d_gate] {
                values.reshape(features, layout);
            }
            let read = [slice(input), slice(L::output(inner)), slice(gate), slice(d_output)];
            each(Backward, read, [slice_mut(d_inner), slice_mut(d_gate)]);
            d_inner.clear_padding();
            d_gate.clear_padding();
        }
        let d_x_of_gate = d_input.is_some().then_some(&mut *d_input_of_gate);
        let d_z = d_output.is_some().then_some(&*d_gate);
        self.gate.backward(input, linear, d_z, &mut (), of_gate, d_x_of_gate);
        let d_f = d_output.is_some().then_some(&*d_inner);
        self.inner.backward(input, inner, d_f, d_carry, of_inner, d_input.as_deref_mut());
        if let (Some(d_input), Some(d_output)) = (d_input, d_output) {
            each(AddPaths, [slice(d_input_of_gate), slice(gate), slice(d_output)], [slice_mut(d_input)]);
            d_input.clear_padding();
        }
    }
}
