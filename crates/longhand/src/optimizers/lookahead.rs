//! Lookahead (Zhang, Lucas, Hinton and Ba, "Lookahead Optimizer: k Steps Forward, 1 Step Back", 2019, algorithm 1): slow weights that
//! follow those of another optimizer.

use super::{Optimizer, OptimizerState};
use crate::hyperparameters::check_positive;
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::real;
use crate::{Gradients, HyperparameterError, Path, Scalar, Tensors};
use alloc::vec::Vec;

const SLOW_WEIGHTS: &str = "slow_weights";

/// Any optimizer, with Lookahead around it.
///
/// The parameters `w` of the model are the fast weights, which the inner optimizer updates at every step. After every `period` steps
/// (`k` in the paper) the slow weights move towards them, and the fast weights start again from there:
///
/// ```text
/// slow = slow + alpha (w - slow)
/// w = slow
/// ```
///
/// The slow weights start as the parameters before the first step. The moments of the inner optimizer go on, as in the paper. Frozen
/// parameters stay as they are.
///
/// After a multiple of `period` steps the model has the slow weights, which is the time to evaluate it; between two multiples,
/// [`copy_slow_weights`](Self::copy_slow_weights) copies them to a second model. If the program sets the parameters in another way than by
/// [`step`](Optimizer::step), start a new optimizer: the slow weights do not know of the change.
///
/// The steps are counted on from those of the inner optimizer, if it counts them. The state is that of the inner optimizer and the slow
/// weights, so checkpoints resume to the same bits, also between two multiples of `period`.
///
/// ```
/// use longhand::{Gradients, Linear, Lookahead, Optimizer, Sgd};
/// let mut layer = Linear::<f64>::zeros(1, 1);
/// let mut gradients = Gradients::zeros(&layer);
/// gradients.values_mut().weight[(0, 0)] = 1.0;
/// let mut optimizer = Lookahead::new(Sgd::new()).with_period(2)?.with_alpha(0.5)?;
/// optimizer.step(&mut layer, &gradients, 0.25);
/// assert_eq!(layer.weight[(0, 0)], -0.25);
/// optimizer.step(&mut layer, &gradients, 0.25);
/// // Half of the way from 0 to -0.5.
/// assert_eq!(layer.weight[(0, 0)], -0.25);
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lookahead<T, O> {
    inner: O,
    period: u32,
    alpha: f64,
    /// Steps so far: those of the inner optimizer, if it counts them.
    steps: u32,
    slow: Vec<T>,
}

impl<T: Scalar, O: Optimizer<T>> Lookahead<T, O> {
    /// Around an optimizer, with `period = 5` and `alpha = 0.5`.
    pub fn new(inner: O) -> Self {
        let steps = inner.state().steps;
        Lookahead { inner, period: 5, alpha: 0.5, steps, slow: Vec::new() }
    }

    /// The slow weights move after every `period` steps.
    ///
    /// # Errors
    /// If `period` is 0.
    pub fn with_period(mut self, period: u32) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(period > 0, "period", 0.0, "at least 1 step")?;
        self.period = period;
        Ok(self)
    }

    /// The slow weights move by this part of the way. With 1 the optimizer is the inner one.
    ///
    /// # Errors
    /// If `alpha` is not in `(0, 1]`, or `T` cannot represent it as a normal number.
    pub fn with_alpha(mut self, alpha: f64) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(alpha > 0.0 && alpha <= 1.0, "alpha", alpha, "above 0 and at most 1")?;
        check_positive::<T>("alpha", alpha)?;
        self.alpha = alpha;
        Ok(self)
    }

    /// The inner optimizer.
    pub fn inner(&self) -> &O {
        &self.inner
    }

    /// Copies the slow weights to a model of the same shape, such as a clone that is evaluated. Before the first step there are none,
    /// and nothing is copied.
    ///
    /// # Panics
    /// If the model has another number of parameters.
    #[track_caller]
    pub fn copy_slow_weights<P: Tensors<T>>(&self, model: &mut P) {
        if self.slow.is_empty() {
            return;
        }
        self.check_count(model.count());
        let mut slow = self.slow.as_slice();
        model.visit_mut(&Path::ROOT, &mut |_, _, w| {
            let (next, rest) = slow.split_at(w.len());
            slow = rest;
            w.copy_from_slice(next);
        });
    }

    #[track_caller]
    fn check_count(&self, count: usize) {
        assert_eq!(
            self.slow.len(),
            count,
            "an optimizer serves one model: it has met another count of parameters before"
        );
    }
}

/// The slow weight of one parameter moves towards the fast one, which then starts from there: `slow + alpha (w - slow)`, written as
/// `w + (1 - alpha) (slow - w)`. The field is `1 - alpha`.
#[derive(Clone, Copy)]
struct Synchronise<T>(T);

compiled_here!(Synchronise<T>, 0, 2);

impl<T: Scalar> Equations<T, 0, 2> for Synchronise<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [w, slow]: [V; 2]) -> [V; 2] {
        // Exactly `w` if `alpha` is 1, and unchanged if the two are equal.
        let slow = (w + w.constant(self.0) * (slow - w)).flush_to_zero();
        [slow, slow]
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Lookahead<T, O> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        if self.slow.is_empty() {
            self.slow.reserve_exact(parameters.count());
            parameters.visit(&Path::ROOT, &mut |_, _, w| self.slow.extend_from_slice(w));
        }
        self.check_count(parameters.count());
        self.inner.step(parameters, gradients, learning_rate);
        self.steps = self.steps.saturating_add(1);
        if !self.steps.is_multiple_of(self.period) {
            return;
        }
        let (rest, mut slow) = (real(1.0 - self.alpha), self.slow.as_mut_slice());
        parameters.visit_mut(&Path::ROOT, &mut |path, _, w| {
            let slow = slow.split_off_mut(..w.len()).unwrap_or_default();
            if !path.is_frozen() {
                each(Synchronise(rest), [], [w, slow]);
            }
        });
    }

    fn state(&self) -> OptimizerState<T> {
        let mut state = self.inner.state();
        state.steps = self.steps;
        state.moments.push((SLOW_WEIGHTS, self.slow.clone()));
        state
    }

    #[track_caller]
    fn restore(&mut self, mut state: OptimizerState<T>) {
        let last = state.moments.pop();
        let Some((SLOW_WEIGHTS, slow)) = last else {
            panic!("the state is that of another kind of optimizer: its last moments must be `{SLOW_WEIGHTS}`");
        };
        let steps = state.steps;
        self.inner.restore(state);
        (self.steps, self.slow) = (steps, slow);
    }
}
