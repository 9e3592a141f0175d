//! A carry with a field that is not a tensor: a step counter, which `set_zero` does not reset.

use longhand::nalgebra::{DMatrix, DVector, convert};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The sum of all inputs so far, times a gain that decreases with the number of steps.
#[derive(Debug, Clone)]
pub struct Counting<T: Scalar> {
    pub gain: DVector<T>,
    /// Whether the counter is a field that is not a tensor.
    pub wrong: bool,
    /// Whether the first carry is not zero.
    pub begins_at_one: bool,
}

longhand::tensors!(Counting { gain } keep { wrong, begins_at_one });

/// The carry: the sum and the number of steps of each sequence. The number of steps is a tensor and also a field that
/// is not a tensor.
#[derive(Debug, Clone)]
pub struct State<T: Scalar> {
    pub sum: DMatrix<T>,
    pub steps: DMatrix<T>,
    pub counter: Vec<usize>,
}

longhand::tensors!(State { sum, steps } keep { counter });

impl<T: Scalar> Counting<T> {
    fn factor(&self, state: &State<T>, b: usize) -> T {
        if self.wrong {
            convert::<f64, T>(1.0 / (1.0 + state.counter[b] as f64))
        } else {
            T::one() / (T::one() + state.steps[(0, b)] * state.steps[(0, b)])
        }
    }
}

/// The output and the states before each step.
pub struct Cache<T: Scalar> {
    output: Sequences<T>,
    states: Vec<State<T>>,
}

impl<T: Scalar> Default for Cache<T> {
    fn default() -> Self {
        Cache { output: Sequences::default(), states: Vec::new() }
    }
}

impl<T: Scalar> Layer<T> for Counting<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = State<T>;
    type Cache = Cache<T>;

    fn name(&self) -> String {
        format!("Counting({})", self.gain.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, batch: usize) -> State<T> {
        let mut sum = DMatrix::zeros(self.gain.len(), batch);
        if self.begins_at_one {
            sum.fill(T::one());
        }
        State { sum, steps: DMatrix::zeros(1, batch), counter: vec![0; batch] }
    }

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        state: &mut State<T>,
        cache: &'c mut Cache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let layout = x.layout();
        cache.output.reshape(x.features(), layout);
        cache.output.values_mut().fill(T::zero());
        cache.states.clear();
        for step in 0..layout.steps() {
            for b in layout.resets_at(step) {
                state.sum.column_mut(b).fill(T::zero());
                state.steps[(0, b)] = T::zero();
                state.counter[b] = 0;
            }
            cache.states.push(state.clone());
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                let factor = self.factor(state, b);
                for (i, &gain) in self.gain.iter().enumerate() {
                    state.sum[(i, b)] += x.at(step, b)[i];
                    cache.output.at_mut(step, b)[i] = gain * factor * state.sum[(i, b)];
                }
                state.steps[(0, b)] += T::one();
                state.counter[b] += 1;
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
        d: &mut State<T>,
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_y = d_y.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let layout = x.layout();
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
            d_x.values_mut().fill(T::zero());
        }
        for step in (0..layout.steps()).rev() {
            let state = &cache.states[step];
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                let (factor, steps) = (self.factor(state, b), state.steps[(0, b)]);
                let mut d_factor = T::zero();
                for (i, &gain) in self.gain.iter().enumerate() {
                    let (d_y, sum) = (d_y.at(step, b)[i], state.sum[(i, b)] + x.at(step, b)[i]);
                    gradients.gain[i] += d_y * factor * sum;
                    d_factor += d_y * gain * sum;
                    d.sum[(i, b)] += d_y * gain * factor;
                    if let Some(d_x) = &mut d_x {
                        d_x.at_mut(step, b)[i] = d.sum[(i, b)];
                    }
                }
                if !self.wrong {
                    d.steps[(0, b)] -= d_factor * (steps + steps) * factor * factor;
                }
            }
            for b in layout.resets_at(step) {
                d.sum.column_mut(b).fill(T::zero());
                d.steps[(0, b)] = T::zero();
            }
        }
    }
}
