//! An Elman layer on plain loops, with a switch for every mistake. Without a mistake the layer is right, so the checker
//! finds the mistake and nothing else.

#![expect(clippy::needless_range_loop, reason = "indices as in the equations")]

pub use super::elman_mistake::Mistake;
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences};

/// An Elman layer on plain loops.
#[derive(Debug, Clone)]
pub struct Wrong<T: Scalar> {
    pub weight_ih_l0: DMatrix<T>,
    pub weight_hh_l0: DMatrix<T>,
    pub bias_ih_l0: DVector<T>,
    pub bias_hh_l0: DVector<T>,
    pub mistake: Mistake,
}

longhand::tensors!(Wrong { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 } keep { mistake });

impl<T: Scalar> Wrong<T> {
    pub fn zeros(inputs: usize, units: usize, mistake: Mistake) -> Self {
        Wrong {
            weight_ih_l0: DMatrix::zeros(units, inputs),
            weight_hh_l0: DMatrix::zeros(units, units),
            bias_ih_l0: DVector::zeros(units),
            bias_hh_l0: DVector::zeros(units),
            mistake,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Cache<T: Scalar> {
    output: Sequences<T>,
    pre_activation: Sequences<T>,
    previous: Sequences<T>,
    before_reset: Sequences<T>,
    left_over: Vec<T>,
}

impl<T: Scalar> Default for Cache<T> {
    fn default() -> Self {
        let empty = Sequences::default;
        let left_over = Vec::new();
        Cache { output: empty(), pre_activation: empty(), previous: empty(), before_reset: empty(), left_over }
    }
}

fn real<T: Scalar>(x: f64) -> T {
    longhand::nalgebra::convert(x)
}

impl<T: Scalar> Layer<T> for Wrong<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = Cache<T>;

    fn name(&self) -> String {
        format!("Wrong({} -> {})", self.weight_ih_l0.ncols(), self.weight_ih_l0.nrows())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight_ih_l0.ncols(), output: self.weight_ih_l0.nrows() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        DMatrix::zeros(self.weight_hh_l0.nrows(), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut Cache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.weight_hh_l0.nrows(), input.layout());
        let Cache { output, pre_activation, previous, before_reset, .. } = cache;
        for buffer in [&mut *output, pre_activation, previous, before_reset] {
            buffer.reshape(units, layout);
            buffer.values_mut().fill(T::zero());
        }
        for step in 0..layout.steps() {
            let first: Vec<T> = carry.column(0).iter().copied().collect();
            for b in 0..layout.batch() {
                let mut h: Vec<T> = match self.mistake {
                    Mistake::CarryOfTheFirst => first.clone(),
                    _ => carry.column(b).iter().copied().collect(),
                };
                before_reset.at_mut(step, b).copy_from_slice(&h);
                if layout.resets(step, b) && self.mistake != Mistake::NoResets {
                    h.fill(T::zero());
                }
                previous.at_mut(step, b).copy_from_slice(&h);
                if layout.is_valid(step, b) || self.mistake == Mistake::NoMask {
                    let x = input.at(step, b);
                    for i in 0..units {
                        let mut z = self.bias_ih_l0[i] + self.bias_hh_l0[i];
                        for (j, &x) in x.iter().enumerate() {
                            z += self.weight_ih_l0[(i, j)] * x;
                        }
                        for (j, &h) in h.iter().enumerate() {
                            z += self.weight_hh_l0[(i, j)] * h;
                        }
                        pre_activation.at_mut(step, b)[i] = z;
                        output.at_mut(step, b)[i] = z.tanh();
                    }
                    h.copy_from_slice(output.at(step, b));
                }
                carry.column_mut(b).copy_from_slice(&h);
            }
        }
        output
    }

    fn output(cache: &Cache<T>) -> &Sequences<T> {
        &cache.output
    }

    #[expect(clippy::too_many_lines, reason = "one backward pass with all its mistakes, in the order of its equations")]
    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Cache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut DMatrix<T>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = match gradients {
            ParameterGradients::Replace(gradients) if self.mistake == Mistake::AddedWhereReplaced => gradients,
            gradients => gradients.to_add_to().unwrap_or(&mut unwanted),
        };
        let (is, layout) = (|mistake: M| self.mistake == mistake, input.layout());
        let (steps, batch, units) = (layout.steps(), layout.batch(), self.weight_hh_l0.nrows());
        let mut sums = Wrong { mistake: self.mistake, ..Wrong::zeros(input.features(), units, self.mistake) };
        let mut d_x = Sequences::zeros(input.features(), layout.clone());
        if is(M::CarryGradientIgnored) {
            d_carry.fill(T::zero());
        }
        if is(M::StaleBuffer) && cache.left_over.len() == d_carry.len() {
            for (d, &left) in d_carry.iter_mut().zip(&cache.left_over) {
                *d += left;
            }
        }
        for step in (0..steps).rev() {
            let mut d_first = vec![T::zero(); units];
            for b in 0..batch {
                let valid = layout.is_valid(step, b) || is(M::NoMask);
                let (h, z) = (cache.output.at(step, b), cache.pre_activation.at(step, b));
                let mut d_h: Vec<T> = d_carry.column(b).iter().copied().collect();
                if valid || is(M::MaskLeaks) {
                    let mut d_z = vec![T::zero(); units];
                    for i in 0..units {
                        let mut d_y = d_output.at(step, b)[i];
                        if is(M::OutputTwice) {
                            d_y += d_y;
                        }
                        if is(M::LastOutputMissing) && step + 1 == steps {
                            d_y = T::zero();
                        }
                        let slope = match self.mistake {
                            M::SquareOfOneMinus => (T::one() - h[i]) * (T::one() - h[i]),
                            M::PreActivation => T::one() - z[i] * z[i],
                            _ => T::one() - h[i] * h[i],
                        };
                        d_z[i] = (d_y + d_h[i]) * slope;
                        let limit = real::<T>(1.0);
                        if is(M::Clipped) && d_z[i].abs() > limit {
                            d_z[i] = limit.copysign(d_z[i]);
                        }
                        if is(M::SmallSkipped) && d_z[i].abs() < real(1e-9) {
                            d_z[i] = T::zero();
                        }
                    }
                    sums.add_step(input, cache, step, b, &d_z);
                    for j in 0..input.features() {
                        for i in 0..units {
                            let d = match self.mistake {
                                M::InputGradientWithoutDerivative => d_output.at(step, b)[i] + d_h[i],
                                _ => d_z[i],
                            };
                            d_x.at_mut(step, b)[j] += self.weight_ih_l0[(i, j)] * d;
                        }
                    }
                    for j in 0..units {
                        d_h[j] = T::zero();
                        for i in 0..units {
                            let weight = match self.mistake {
                                M::RecurrenceNotTransposed => self.weight_hh_l0[(j, i)],
                                _ => self.weight_hh_l0[(i, j)],
                            };
                            d_h[j] += weight * d_z[i];
                        }
                    }
                    if is(M::CarryGradientOneStepShort) && step == 0 {
                        d_h.copy_from_slice(&d_z);
                    }
                    let cut = is(M::ThreeStepsOnly) && step + 3 <= steps;
                    if step > 0 && (is(M::DroppedBetweenSteps) || cut) {
                        d_h.fill(T::zero());
                    }
                } else if is(M::PaddingTimesZero) {
                    sums.add_step(input, cache, step, b, &vec![T::zero(); units]);
                } else if is(M::MaskStopsTheCarry) {
                    d_h.fill(T::zero());
                }
                let stops = match self.mistake {
                    M::ResetLeaks | M::NoResets => false,
                    M::ResetOneStepOff => step > 0 && layout.resets(step - 1, b),
                    M::ResetOfAllSequences => layout.resets_at(step).next().is_some(),
                    _ => layout.resets(step, b),
                };
                if stops {
                    d_h.fill(T::zero());
                }
                if is(M::CarryOfTheFirst) {
                    for (sum, d) in d_first.iter_mut().zip(&mut d_h) {
                        *sum += *d;
                        *d = T::zero();
                    }
                }
                d_carry.column_mut(b).copy_from_slice(&d_h);
            }
            if is(M::CarryOfTheFirst) {
                d_carry.column_mut(0).copy_from_slice(&d_first);
            }
        }
        if is(M::CarryGradientNotGiven) {
            d_carry.fill(T::zero());
        }
        if is(M::StaleBuffer) {
            cache.left_over = d_carry.as_slice().to_vec();
        }
        if !is(M::OnlyWithInputGradient) || d_input.is_some() {
            self.write_gradients(gradients, &sums, steps, batch);
        }
        if let Some(d_input) = d_input {
            if is(M::InputGradientOneStepOff) {
                let all = d_x.clone();
                for step in 0..steps.saturating_sub(1) {
                    for b in 0..batch {
                        d_x.at_mut(step, b).copy_from_slice(all.at(step + 1, b));
                    }
                }
            }
            if is(M::MillionthOfInput) {
                d_x.values_mut()[0] *= real(1.0 + 1e-6);
            }
            if is(M::InputGradientAdded) && d_input.layout() == layout {
                for (d, &x) in d_input.values_mut().iter_mut().zip(d_x.values()) {
                    *d += x;
                }
            } else {
                d_input.reshape(input.features(), layout);
                d_input.values_mut().copy_from(d_x.values());
            }
        }
    }
}

impl<T: Scalar> Wrong<T> {
    /// Adds the gradients of one step of one sequence.
    fn add_step(&mut self, input: &Sequences<T>, cache: &Cache<T>, step: usize, b: usize, d_z: &[T]) {
        use Mistake as M;
        let zero = vec![T::zero(); input.features()];
        let x = match self.mistake {
            M::InputOfTheStepBefore if step == 0 => &zero[..],
            M::InputOfTheStepBefore => input.at(step - 1, b),
            _ => input.at(step, b),
        };
        let h = match self.mistake {
            M::HiddenOfTheSameStep => cache.output.at(step, b),
            M::StateBeforeTheReset => cache.before_reset.at(step, b),
            _ => cache.previous.at(step, b),
        };
        for (i, &d) in d_z.iter().enumerate() {
            for (j, &x) in x.iter().enumerate() {
                self.weight_ih_l0[(i, j)] += d * x;
            }
            for (j, &h) in h.iter().enumerate() {
                let place = if self.mistake == M::HiddenGradientTransposed { (j, i) } else { (i, j) };
                self.weight_hh_l0[place] += d * h;
            }
            if self.mistake != M::BiasOfFirstSequence || b == 0 {
                self.bias_ih_l0[i] += d;
            }
            self.bias_hh_l0[i] += d;
        }
    }

    /// Writes the sums to the gradients, with the mistakes of this stage.
    fn write_gradients(&self, gradients: &mut Self, sums: &Self, steps: usize, batch: usize) {
        use Mistake as M;
        let mut sums = sums.clone();
        match self.mistake {
            M::BiasDetached => sums.bias_hh_l0.fill(T::zero()),
            M::BiasSign => sums.bias_ih_l0.neg_mut(),
            M::MeanOverBatch => sums.scale(T::one() / real(batch as f64)),
            M::MeanOverSteps => sums.scale(T::one() / real(steps as f64)),
            M::MillionthOfWeight => {
                let last = sums.weight_hh_l0.len() - 1;
                sums.weight_hh_l0[last] *= real(1.0 + 1e-6);
            }
            M::WeightDecay => {
                for (sum, &w) in sums.weight_hh_l0.iter_mut().zip(self.weight_hh_l0.iter()) {
                    *sum += real::<T>(1e-4) * w;
                }
            }
            _ => {}
        }
        gradients.weight_ih_l0 += &sums.weight_ih_l0;
        if self.mistake == M::Overwritten {
            gradients.weight_hh_l0.copy_from(&sums.weight_hh_l0);
        } else {
            gradients.weight_hh_l0 += &sums.weight_hh_l0;
        }
        gradients.bias_ih_l0 += &sums.bias_ih_l0;
        gradients.bias_hh_l0 += &sums.bias_hh_l0;
    }

    fn scale(&mut self, factor: T) {
        self.weight_ih_l0 *= factor;
        self.weight_hh_l0 *= factor;
        self.bias_ih_l0 *= factor;
        self.bias_hh_l0 *= factor;
    }
}
