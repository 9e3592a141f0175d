//! Attention pooling: a mean over the valid steps of each sequence whose weights are learned (Yang et al., 2016, "Hierarchical
//! Attention Networks for Document Classification", equations 5 to 7; the scores are those of Bahdanau et al., 2015, with a
//! learned query).
//!
//! # Equations
//! For each sequence, with `t` over its valid steps,
//!
//! ```text
//! u[t] = tanh(W x[t] + b)      e[t] = q' u[t]      a = softmax(e)      y = sum of a[t] x[t]
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `features x (steps * batch)` |
//! | `y` | `output` | `features x batch`, one step; invalid for a sequence without a valid step |
//! | `W`, `b` | `weight`, `bias` | `units x features`, `units` |
//! | `q` | `query` | `units` |
//! | `u`, `e`, `a` | `hidden`, `scores`, `attention` | `units`, one and one for each step of each sequence |
//!
//! The largest score of a sequence is subtracted from all of them before the exponential, so it cannot overflow. Resets do not
//! matter: the mean is over all valid steps, on both sides of a reset. In truncated training each window has its own mean.
//!
//! # Derivation of the backward pass
//! `x[t]` is used twice, as a value and for its weight. As a value, `d_x[t] = a[t] d_y`. For its weight, the derivative of the sum
//! is `d_a[t] = d_y' x[t]`, and that of softmax is `d a[t] / d e[s] = a[t] (1[t = s] - a[s])`. So
//!
//! ```text
//! d_e[t]   = a[t] (d_a[t] - sum of a[s] d_a[s] over s)
//! d_q     += sum of d_e[t] u[t]
//! d_z[t]   = d_e[t] q (1 - u[t]^2)                  with z = W x + b, since tanh' = 1 - tanh^2
//! d_W     += sum of d_z[t] x[t]'      d_b += sum of d_z[t]
//! d_x[t]   = a[t] d_y + W' d_z[t]
//! ```

use super::shapes::{check_backward, check_gradients, check_input, check_tensor};
use crate::kernel::{self, Accumulate, Equations, Operand, Real, Workspace, compiled_here, each};
use crate::scalar::flush_to_zero;
use crate::sequences::without_padding;
use crate::{Features, Layer, Layout, ParameterGradients, Pass, Scalar, Sequences, Tensors, initialise, sizes};
use alloc::{format, string::String};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// Attention pooling; see the [module](self) for its equations.
///
/// ```
/// use longhand::{AttentionPooling, Gru, Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let g = &mut ChaCha8Rng::seed_from_u64(1);
/// let model = Gru::<f32>::new(3, 16, g).then(AttentionPooling::new(16, 8, g))?.then(Linear::new(16, 2, g))?;
/// # Ok::<(), longhand::ShapeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionPooling<T: Scalar> {
    /// `W`, `units x features`.
    pub weight: DMatrix<T>,
    /// `b`, `units`.
    pub bias: DVector<T>,
    /// `q`, `units`.
    pub query: DVector<T>,
}

crate::tensors!(AttentionPooling { weight, bias, query });

impl<T: Scalar> AttentionPooling<T> {
    /// `W` and `b` uniform in `[-1/sqrt(features), 1/sqrt(features)]` and `q` uniform in `[-1/sqrt(units), 1/sqrt(units)]`, as of
    /// two linear layers.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(features: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = AttentionPooling::zeros(features, units);
        initialise::uniform_fan(&mut layer.weight, features, generator);
        initialise::uniform_fan(&mut layer.bias, features, generator);
        initialise::uniform_fan(&mut layer.query, units, generator);
        layer
    }

    /// All parameters zero, to be filled: all valid steps then have the same weight.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(features: usize, units: usize) -> Self {
        let [bias, query] = [(); 2].map(|()| sizes::zero_vector(units));
        AttentionPooling { weight: sizes::zero_matrix(units, features), bias, query }
    }

    /// Number of features of the input and of the output.
    pub fn inputs(&self) -> usize {
        self.weight.ncols()
    }

    /// Number of elements of the query.
    pub fn units(&self) -> usize {
        self.weight.nrows()
    }

    fn shapes(&self) -> [(usize, usize); 3] {
        [self.weight.shape(), self.bias.shape(), self.query.shape()]
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    fn check_parameters(&self) {
        for (tensor, vector) in [("bias", &self.bias), ("query", &self.query)] {
            check_tensor(|| self.name(), tensor, vector.shape(), (self.units(), 1));
        }
    }
}

/// The output of [`AttentionPooling`], and the values and buffers of both passes.
#[derive(Debug)]
pub struct AttentionPoolingCache<T: Scalar> {
    output: Sequences<T>,
    hidden: Sequences<T>,
    /// The scores, and then the weights of the steps.
    attention: Sequences<T>,
    cleared_input: Sequences<T>,
    d_scores: Sequences<T>,
    d_hidden: Sequences<T>,
    workspace: Workspace<T>,
}

impl<T: Scalar> Default for AttentionPoolingCache<T> {
    fn default() -> Self {
        AttentionPoolingCache {
            output: Sequences::default(),
            hidden: Sequences::default(),
            attention: Sequences::default(),
            cleared_input: Sequences::default(),
            d_scores: Sequences::default(),
            d_hidden: Sequences::default(),
            workspace: Workspace::default(),
        }
    }
}

/// `u = tanh(z)`.
#[derive(Clone, Copy)]
struct Tanh;

compiled_here!(Tanh, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Tanh {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [z]: [V; 1]) -> [V; 1] {
        [z.flush_to_zero().tanh()]
    }
}

/// `d_z = d_e q (1 - u^2)`, from the product `d_e q`.
#[derive(Clone, Copy)]
struct TanhBackward;

compiled_here!(TanhBackward, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for TanhBackward {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [u]: [V; 1], [d_u]: [V; 1]) -> [V; 1] {
        [(d_u * (u.number(1.0) - u * u)).flush_to_zero()]
    }
}

/// `sum += factor * x`.
#[derive(Clone, Copy)]
struct AddProduct<T> {
    factor: T,
}

compiled_here!(AddProduct<T>, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for AddProduct<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [x]: [V; 1], [sum]: [V; 1]) -> [V; 1] {
        [sum + x * x.constant(self.factor)]
    }
}

fn valid_steps(layout: &Layout, sequence: usize) -> impl Iterator<Item = usize> + Clone + '_ {
    (0..layout.steps()).filter(move |&step| layout.is_valid(step, sequence))
}

/// Replaces the scores of one sequence by their softmax over the valid steps.
fn softmax<T: Scalar>(scores: &mut Sequences<T>, layout: &Layout, sequence: usize) {
    let valid = valid_steps(layout, sequence);
    let largest = valid.clone().map(|step| scores.at(step, sequence)[0]).reduce(|a, b| if b > a { b } else { a });
    let Some(largest) = largest else { return };
    let mut sum = T::zero();
    for step in valid.clone() {
        let e = &mut scores.at_mut(step, sequence)[0];
        *e = flush_to_zero((*e - largest).exp());
        sum += *e;
    }
    for step in valid {
        scores.at_mut(step, sequence)[0] /= sum;
    }
}

impl<T: Scalar> Layer<T> for AttentionPooling<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = AttentionPoolingCache<T>;

    fn name(&self) -> String {
        format!("AttentionPooling({}, {} units)", self.inputs(), self.units())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.inputs() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut AttentionPoolingCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_parameters();
        check_input(|| self.name(), self.inputs(), input);
        let AttentionPoolingCache { output, hidden, attention, workspace, .. } = cache;
        let (layout, features) = (input.layout(), input.features());

        hidden.reshape(self.units(), layout);
        let u = hidden.values_mut().as_mut_slice();
        let bias = Accumulate::Bias(self.bias.as_slice());
        kernel::product(u, bias, (&self.weight).into(), input.values().into(), workspace);
        each(Tanh, [], [u]);
        // Zero times NaN is NaN in the gradient of the query.
        hidden.clear_padding();

        attention.reshape(1, layout);
        let query = Operand::new(self.query.as_slice(), self.units(), 1).transposed();
        let scores = attention.values_mut().as_mut_slice();
        kernel::product(scores, Accumulate::Replace, query, hidden.values().into(), workspace);
        (0..layout.batch()).for_each(|sequence| softmax(attention, layout, sequence));
        attention.clear_padding();

        let has_steps = |_, sequence| layout.last_valid_step(sequence).is_some();
        output.reshape_marked(features, 1, layout.batch(), has_steps, |_, _| false);
        kernel::set_zero(output.values_mut().as_mut_slice());
        for step in 0..layout.steps() {
            for sequence in (0..layout.batch()).filter(|&sequence| layout.is_valid(step, sequence)) {
                let factor = attention.at(step, sequence)[0];
                each(AddProduct { factor }, [input.at(step, sequence)], [output.at_mut(0, sequence)]);
            }
        }
        output
    }

    fn output(cache: &AttentionPoolingCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut AttentionPoolingCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        let (layout, features) = (input.layout(), self.inputs());
        check_backward(|| self.name(), &cache.output, features, &Layout::new(1, layout.batch()), d_output);
        check_input(|| self.name(), features, input);
        let gradients = gradients.accumulated();
        if let Some((gradients, _)) = &gradients {
            check_gradients(|| self.name(), ["weight", "bias", "query"], self.shapes(), gradients.shapes());
        }
        if let Some(d_input) = &mut d_input {
            d_input.reshape(features, layout);
            kernel::set_zero(d_input.values_mut().as_mut_slice());
        }
        let Some(d_output) = d_output else {
            // Every gradient is a product with zero.
            if let Some((gradients, Accumulate::Replace)) = gradients {
                gradients.set_zero();
            }
            return;
        };
        let AttentionPoolingCache { hidden, attention, cleared_input, d_scores, d_hidden, workspace, .. } = cache;

        // d_e, and zero at invalid steps.
        d_scores.reshape(1, layout);
        kernel::set_zero(d_scores.values_mut().as_mut_slice());
        for sequence in 0..layout.batch() {
            let (valid, d_y) = (valid_steps(layout, sequence), d_output.at(0, sequence));
            let mut mean = T::zero();
            for step in valid.clone() {
                let d_a = kernel::dot(d_y, input.at(step, sequence));
                d_scores.at_mut(step, sequence)[0] = d_a;
                mean += attention.at(step, sequence)[0] * d_a;
            }
            for step in valid {
                let d_e = &mut d_scores.at_mut(step, sequence)[0];
                *d_e = attention.at(step, sequence)[0] * (*d_e - mean);
            }
        }

        // d_z.
        d_hidden.reshape(self.units(), layout);
        let d_z = d_hidden.values_mut().as_mut_slice();
        let query = Operand::new(self.query.as_slice(), self.units(), 1);
        kernel::product(d_z, Accumulate::Replace, query, d_scores.values().into(), workspace);
        each(TanhBackward, [hidden.values().as_slice()], [d_z]);

        if let Some((gradients, accumulate)) = gradients {
            let d_e = Operand::from(d_scores.values()).transposed();
            kernel::product(gradients.query.as_mut_slice(), accumulate, hidden.values().into(), d_e, workspace);
            let d_z = Operand::from(d_hidden.values());
            let x = Operand::from(without_padding(input, layout, cleared_input).values()).transposed();
            kernel::product(gradients.weight.as_mut_slice(), accumulate, d_z, x, workspace);
            let one = [T::one()];
            let ones = Operand::repeated(&one, layout.columns());
            kernel::product(gradients.bias.as_mut_slice(), accumulate, d_z, ones, workspace);
        }
        if let Some(d_input) = d_input {
            let weight = Operand::from(&self.weight).transposed();
            let d_x = d_input.values_mut().as_mut_slice();
            kernel::product(d_x, Accumulate::Replace, weight, d_hidden.values().into(), workspace);
            for step in 0..layout.steps() {
                for sequence in (0..layout.batch()).filter(|&sequence| layout.is_valid(step, sequence)) {
                    let factor = attention.at(step, sequence)[0];
                    each(AddProduct { factor }, [d_output.at(0, sequence)], [d_input.at_mut(step, sequence)]);
                }
            }
            d_input.clear_padding();
        }
    }
}
