//! Connectionist temporal classification with a switch for every mistake, on probabilities, for few steps.

use longhand::{LabelSequences, Loss, Reduction, Scalar, Sequences};

/// The mistake of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The backward pass skips the blank between equal labels.
    BackwardSkipsRepeats,
    /// The backward pass never skips a blank.
    BackwardNeverSkips,
    /// The backward pass ends in the last label only, not in the last blank.
    BackwardEndsInLabel,
    /// The probability of the step is in `alpha` and in `beta`, and divided out of neither.
    StepTwice,
    /// The gradient uses the forward probabilities alone.
    ForwardAlone,
    /// The gradient with respect to the log-probabilities, not the logits.
    OfLogProbabilities,
    /// Only one of the states of a class counts.
    LastStateOfAClass,
    /// The gradient has no part for the blank.
    BlankForgotten,
    /// The gradient is one step late.
    OneStepLate,
    /// Invalid steps are read as blanks that cost nothing, but have a gradient.
    PaddingHasGradient,
    /// The gradient is not divided by the number of sequences.
    MeanInLossOnly,
    /// `d_output` is added to, not written.
    Added,
}

/// The loss. Class 0 is the blank.
pub struct Alignments(pub Mistake, pub Reduction);

impl Alignments {
    /// The loss of one sequence with the softmax of its steps, and the gradients of the logits of each step.
    fn one<T: Scalar>(&self, y: &[Vec<T>], labels: &[usize]) -> (T, Vec<Vec<T>>) {
        let (mistake, steps, states) = (self.0, y.len(), 2 * labels.len() + 1);
        let class = |s: usize| if s.is_multiple_of(2) { 0 } else { labels[s / 2] };
        let skips = |s: usize| s % 2 == 1 && s > 1 && labels[s / 2] != labels[s / 2 - 1];
        let zero = T::zero();
        let mut alpha = vec![vec![zero; states]; steps];
        for t in 0..steps {
            for s in 0..states {
                let before = |distance: usize| if s < distance { zero } else { alpha[t - 1][s - distance] };
                let all = match t {
                    0 if s < 2 => T::one(),
                    0 => zero,
                    _ => before(0) + before(1) + if skips(s) { before(2) } else { zero },
                };
                alpha[t][s] = all * y[t][class(s)];
            }
        }
        let mut beta = vec![vec![zero; states]; steps];
        for t in (0..steps).rev() {
            for s in 0..states {
                let after = |distance: usize| {
                    let to = s + distance;
                    if to < states { beta[t + 1][to] * y[t + 1][class(to)] } else { zero }
                };
                let skips = match mistake {
                    Mistake::BackwardSkipsRepeats => s % 2 == 1 && s + 2 < states,
                    Mistake::BackwardNeverSkips => false,
                    _ => s + 2 < states && skips(s + 2),
                };
                let ends = s + 1 == states && (mistake != Mistake::BackwardEndsInLabel || states == 1);
                beta[t][s] = if t + 1 == steps {
                    if ends || s + 2 == states { T::one() } else { zero }
                } else {
                    after(0) + after(1) + if skips { after(2) } else { zero }
                };
            }
        }
        let last = &alpha[steps - 1];
        let p = last[states - 1] + if states > 1 { last[states - 2] } else { zero };
        let mut gradient = Vec::new();
        for t in 0..steps {
            let mut d = if mistake == Mistake::OfLogProbabilities { vec![zero; y[t].len()] } else { y[t].clone() };
            let mut taken = vec![zero; y[t].len()];
            for s in 0..states {
                let together = match mistake {
                    Mistake::ForwardAlone => alpha[t][s] / alpha[t].iter().fold(zero, |sum, &a| sum + a),
                    Mistake::StepTwice => alpha[t][s] * beta[t][s] * y[t][class(s)] / p,
                    _ => alpha[t][s] * beta[t][s] / p,
                };
                match mistake {
                    Mistake::LastStateOfAClass => taken[class(s)] = together,
                    Mistake::BlankForgotten if class(s) == 0 => {}
                    _ => taken[class(s)] += together,
                }
            }
            for (d, taken) in d.iter_mut().zip(taken) {
                *d -= taken;
            }
            gradient.push(d);
        }
        if mistake == Mistake::OneStepLate {
            gradient.rotate_right(1);
        }
        (-p.ln(), gradient)
    }
}

impl<T: Scalar> Loss<T> for Alignments {
    type Target = LabelSequences;

    fn reduction(&self) -> Reduction {
        self.1
    }

    fn column(&self, _: &[T], _: &LabelSequences, _: usize, _: Option<&mut [T]>) -> T {
        unreachable!("the checker evaluates whole sequences")
    }

    fn elements(&self, _: usize) -> usize {
        1
    }

    fn needs_whole_sequences(&self) -> bool {
        true
    }

    fn scaled_sum(
        &self,
        output: &Sequences<T>,
        target: &LabelSequences,
        scale: T,
        d_output: Option<&mut Sequences<T>>,
    ) -> T {
        let layout = output.layout();
        let mut gradient = Sequences::zeros(output.features(), layout.clone());
        let mut sum = T::zero();
        for b in 0..output.batch() {
            let steps: Vec<usize> = (0..output.steps()).filter(|&step| layout.is_valid(step, b)).collect();
            let Some(labels) = target.labels(b).filter(|_| !steps.is_empty()) else { continue };
            let softmax = |&step: &usize| {
                let z = output.at(step, b);
                let sum = z.iter().fold(T::zero(), |sum, z| sum + z.exp());
                z.iter().map(|z| z.exp() / sum).collect()
            };
            let y: Vec<Vec<T>> = steps.iter().map(softmax).collect();
            let (loss, d) = self.one(&y, labels);
            sum += loss;
            for (&step, d) in steps.iter().zip(&d) {
                let scale = if self.0 == Mistake::MeanInLossOnly { T::one() } else { scale };
                let scaled: Vec<T> = d.iter().map(|&d| d * scale).collect();
                gradient.at_mut(step, b).copy_from_slice(&scaled);
            }
            if self.0 == Mistake::PaddingHasGradient {
                for step in (0..output.steps()).filter(|&step| !layout.is_valid(step, b)) {
                    gradient.at_mut(step, b).fill(scale);
                }
            }
        }
        if let Some(d_output) = d_output {
            if self.0 == Mistake::Added {
                let left = d_output.values()[0];
                gradient.values_mut().apply(|d| *d += left);
            }
            *d_output = gradient;
        }
        sum * scale
    }

    fn evaluate(&self, output: &Sequences<T>, target: &LabelSequences, d_output: Option<&mut Sequences<T>>) -> T {
        let counts = |&b: &usize| target.labels(b).is_some() && output.layout().last_valid_step(b).is_some();
        let weight = (0..output.batch()).filter(counts).count() as f64;
        self.scaled_sum(output, target, self.1.scale(weight, 1), d_output)
    }
}
