//! Targets that a check can draw, and turn into dual numbers.

use crate::case::{Case, with_valid};
use crate::dual::{Dual, lift};
use crate::numbers::fill;
use longhand::{Labels, Layout, Sequences, Target};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A target that a check can draw. Implemented for [`Labels`] and for real targets; implement it for your own to check a
/// loss that compares with something else.
pub trait CheckedTarget: Target {
    /// The same kind of target for a loss on dual numbers.
    type Dual: Target;

    /// One target a column of the case's layout, for outputs of `features` features. About one in six is missing, among
    /// the valid columns at least one.
    fn draw(case: &Case, features: usize, generator: &mut ChaCha8Rng) -> Self;

    /// The same target; its derivative is zero.
    fn dual(&self) -> Self::Dual;
}

/// Which columns have a target: five in six, and of the valid ones, where there are two, one has and one has not.
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

/// Uniform in `[0, 1]`, with the ends themselves among them: what suits a cross-entropy suits every other loss here.
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
