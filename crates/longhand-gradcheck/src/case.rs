//! Shapes of a check, chosen so that errors of a backward pass show.
//!
//! One time step, one hidden unit, one sequence, a zero carry and small weights each *hide* errors. A transposed weight
//! is right if the weight is a single number, and a gradient dropped between steps does not show in one step. The
//! shapes drawn here therefore have 3 to 8 steps, 2 or 3 sequences of different lengths, a reset in the middle, and
//! dimensions of which no two are equal. [`Case::edges`] lists edge cases, where other kinds of errors show.

use crate::numbers::generator;
use longhand::{Layout, Sequences};
use proptest::prelude::{Just, Strategy, any};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// The shape of one check, and the seed of its random values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Features of the input.
    pub inputs: usize,
    /// Hidden units, for a layer that has them.
    pub hidden: usize,
    /// Features of the output, for a layer whose output size does not follow from the other sizes.
    pub outputs: usize,
    /// Steps, sequences, and which of them are valid or reset.
    pub layout: Layout,
    /// Seed of every random value of the check.
    pub seed: u64,
}

impl Case {
    /// A case of these shapes with all steps valid and no reset.
    pub fn new(steps: usize, batch: usize, inputs: usize, hidden: usize, outputs: usize, seed: u64) -> Case {
        Case { inputs, hidden, outputs, layout: Layout::new(steps, batch), seed }
    }

    /// The same sizes and seed with another layout, which sets the steps, the sequences and the marks (valid steps and
    /// resets).
    #[must_use]
    pub fn with_layout(self, layout: Layout) -> Case {
        Case { layout, ..self }
    }

    /// The same shapes with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Case {
        Case { seed, ..self }
    }

    /// Number of steps, padding included.
    pub fn steps(&self) -> usize {
        self.layout.steps()
    }

    /// Number of sequences.
    pub fn batch(&self) -> usize {
        self.layout.batch()
    }

    /// A random generator for values that the check does not draw itself.
    pub fn generator(&self) -> ChaCha8Rng {
        generator(self.seed, u64::MAX)
    }

    /// Random shapes in which errors show: 3 to 8 steps of 2 or 3 sequences of different lengths, a reset in the
    /// middle, sometimes a gap, all dimensions different. Shapes shrink. Values do not, because they come from the
    /// seed.
    pub fn strategy() -> impl Strategy<Value = Case> {
        let sizes = (3_usize..=8, 2_usize..=3, 2_usize..=7, 2_usize..=7, 2_usize..=7);
        (sizes, any::<[u8; 4]>(), any::<u64>().no_shrink()).prop_flat_map(|(sizes, marks, seed)| {
            let (steps, batch, inputs, hidden, outputs) = sizes;
            Just(Case::marked([batch, steps, inputs, hidden, outputs], marks, seed))
        })
    }

    /// A case with shapes as in [`strategy`](Self::strategy), drawn from a seed without `proptest`.
    pub fn from_seed(seed: u64) -> Case {
        use rand_chacha::rand_core::Rng;
        let generator = &mut generator(seed, u64::MAX - 1);
        let mut within = |low: usize, high: usize| low + generator.next_u32() as usize % (high - low + 1);
        let sizes = [within(2, 3), within(3, 8), within(2, 7), within(2, 7), within(2, 7)];
        let marks = [0; 4].map(|_: u8| within(0, 255) as u8);
        Case::marked(sizes, marks, seed)
    }

    /// Builds a case from the sizes batch, steps, inputs, hidden and outputs. Raises later sizes until all are
    /// different.
    fn marked(mut sizes: [usize; 5], marks: [u8; 4], seed: u64) -> Case {
        for i in 1..sizes.len() {
            while sizes[..i].contains(&sizes[i]) {
                sizes[i] += 1;
            }
        }
        let [batch, steps, inputs, hidden, outputs] = sizes;
        let choose = |mark: usize, n: usize| usize::from(marks[mark]) % n;
        // One sequence has all steps. The others have fewer, and no two have the same number.
        let mut lengths = vec![steps];
        for b in 1..batch {
            let mut length = steps - b;
            length = 1 + (length - 1 + choose(0, length)) % length;
            while lengths.contains(&length) {
                length = 1 + length % steps;
            }
            lengths.push(length);
        }
        lengths.rotate_left(choose(1, batch));
        let longest = lengths.iter().position(|&length| length == steps).unwrap_or(0);
        let reset = 1 + choose(2, steps - 2);
        let mut layout = Layout::new(steps, batch).with_reset(reset, longest);
        // An invalid step between valid ones. It is not at the reset, because that is an edge case, and it must not
        // give two sequences the same number of valid steps.
        let gap = 1 + choose(3, steps - 2);
        let fits = gap != reset && !lengths.contains(&(steps - 1));
        let gap = (fits && marks[3].is_multiple_of(2)).then_some((gap, longest));
        let valid = (0..steps * batch).map(|column| {
            let (step, sequence) = (column / batch, column % batch);
            step < lengths[sequence] && gap != Some((step, sequence))
        });
        layout = with_valid(layout, valid.collect());
        Case { inputs, hidden, outputs, layout, seed }
    }

    /// Zero sequences of this case's layout.
    pub(crate) fn sequences(&self, features: usize) -> Sequences<f64> {
        Sequences::zeros(features, self.layout.clone())
    }
}

/// Sets the valid marks of a layout. The caller passes one mark per column.
pub(crate) fn with_valid(layout: Layout, valid: Vec<bool>) -> Layout {
    layout.with_valid(valid).expect("one mark per column")
}

/// Marks for messages: one word per sequence, one character per step.
fn marks(layout: &Layout) -> String {
    let sequence = |b| -> String {
        let mark = |step| match (layout.is_valid(step, b), layout.resets(step, b)) {
            (true, false) => '-',
            (true, true) => 'r',
            (false, false) => '.',
            (false, true) => 'R',
        };
        (0..layout.steps()).map(mark).collect()
    };
    (0..layout.batch()).map(sequence).collect::<Vec<_>>().join(" ")
}

/// Prints `T=5, batch=2, hidden=3, inputs=2, seed=0x1f3a`, and the marks if the layout has padding or resets. A mark is
/// one character per step: `-` valid, `.` invalid, `r` reset before a valid step, `R` reset before an invalid step.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { inputs, hidden, outputs, layout, seed } = self;
        write!(f, "T={}, batch={}, hidden={hidden}, inputs={inputs}, ", layout.steps(), layout.batch())?;
        if outputs != hidden {
            write!(f, "outputs={outputs}, ")?;
        }
        if layout.has_padding() || layout.has_resets() {
            write!(f, "marks={}, ", marks(layout))?;
        }
        write!(f, "seed={seed:#x}")
    }
}
