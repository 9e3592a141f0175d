//! Targets that a check can draw and convert to dual numbers.

use crate::case::{Case, with_valid};
use crate::dual::{Dual, lift};
use crate::numbers::fill;
use longhand::{ConnectionistTemporalClassification, LabelSequences, Labels, Layout, Sequences, Target};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A target that a check can draw. Implemented for [`Labels`], [`LabelSequences`] and
/// real targets. To check a loss with another type
/// of target, implement this trait for the type.
pub trait CheckedTarget: Target {
    /// The target's type for a loss on dual numbers.
    type Dual: Target;

    /// Draws one target per column of the case's layout, for outputs of `features` features. About one target in six is
    /// missing. If at least two columns are valid, at least one valid column has no target and at least one has a
    /// target.
    fn draw(case: &Case, features: usize, generator: &mut ChaCha8Rng) -> Self;

    /// Converts the target to dual numbers with a derivative of zero.
    fn dual(&self) -> Self::Dual;
}

/// Draws which columns have a target: about five in six. If at least two columns are valid, at least one of them has a
/// target and at least one has none.
fn present(case: &Case, generator: &mut ChaCha8Rng) -> Vec<bool> {
    let (layout, batch) = (&case.layout, case.batch());
    let mut present: Vec<bool> = (0..layout.columns()).map(|_| !generator.next_u32().is_multiple_of(6)).collect();
    let valid: Vec<usize> =
        (0..layout.columns()).filter(|&column| layout.is_valid(column / batch, column % batch)).collect();
    if valid.len() > 1 {
        let chosen = generator.next_u32() as usize % valid.len();
        present[valid[chosen]] = false;
        present[valid[(chosen + 1) % valid.len()]] = true;
    }
    present
}

impl CheckedTarget for Labels {
    type Dual = Labels;

    fn draw(case: &Case, features: usize, generator: &mut ChaCha8Rng) -> Self {
        let present = present(case, generator);
        let class = |present: bool| {
            let class = generator.next_u32() as usize % features;
            present.then_some(class)
        };
        Labels::per_step(present.into_iter().map(class).collect(), case.batch())
    }

    fn dual(&self) -> Labels {
        self.clone()
    }
}

/// Real targets are uniform in `[0, 1]`, and sometimes exactly 0 or 1: a cross-entropy needs this range, and the other
/// losses accept it.
impl CheckedTarget for Sequences<f64> {
    type Dual = Sequences<Dual>;

    fn draw(case: &Case, features: usize, generator: &mut ChaCha8Rng) -> Self {
        let layout = with_valid(Layout::new(case.steps(), case.batch()), present(case, generator));
        let mut target = Sequences::zeros(features, layout);
        fill(&mut target, &mut |_| match generator.next_u32() % 5 {
            0 => 0.0,
            1 => 1.0,
            _ => f64::from(generator.next_u32()) / f64::from(u32::MAX),
        });
        target
    }

    fn dual(&self) -> Sequences<Dual> {
        lift(self, &[])
    }
}

/// Labels are drawn for the valid steps of the case's layout, so that they can be aligned with them, with class 0 as the
/// blank. Equal neighbours are frequent. The sequence with the most valid steps has a target, with labels for at least half
/// of its steps as far as these can be aligned; of three sequences or more, another has none.
impl CheckedTarget for LabelSequences {
    type Dual = LabelSequences;

    fn draw(case: &Case, features: usize, generator: &mut ChaCha8Rng) -> Self {
        let (layout, batch) = (&case.layout, case.batch());
        let valid = |sequence: usize| (0..layout.steps()).filter(|&step| layout.is_valid(step, sequence)).count();
        let longest = (0..batch).max_by_key(|&sequence| valid(sequence)).unwrap_or(0);
        let mut below = |bound: usize| generator.next_u32() as usize % bound;
        let missing = if batch > 2 { (longest + 1 + below(batch - 1)) % batch } else { batch };
        let mut draw = |sequence: usize| -> Option<Vec<usize>> {
            let valid = valid(sequence);
            let least = if sequence == longest { valid.div_ceil(2) } else { 0 };
            let wanted = if features > 1 { least + below(valid - least + 1) } else { 0 };
            let mut labels: Vec<usize> = Vec::new();
            for _ in 0..wanted {
                let repeated = labels.last().copied().filter(|_| below(3) == 0);
                labels.push(repeated.unwrap_or_else(|| 1 + below(features - 1)));
            }
            // Labels that need every step have one alignment only, which hides errors.
            let steps = if sequence == longest && valid > 1 { valid - 1 } else { valid };
            while ConnectionistTemporalClassification::steps_needed(&labels) > steps {
                labels.pop();
            }
            (sequence != missing).then_some(labels)
        };
        let all: Vec<Option<Vec<usize>>> = (0..batch).map(&mut draw).collect();
        LabelSequences::with_missing(all.iter().map(Option::as_deref))
    }

    fn dual(&self) -> LabelSequences {
        self.clone()
    }
}
