//! The shapes of a check: where errors of a backward pass show.
//!
//! One time step, one hidden unit, one sequence, a zero carry and small weights each *hide* errors: a transposed
//! weight is no error when the weight is one number, and a dropped gradient between steps is none with one step. So
//! the shapes drawn here have 3 to 8 steps, 2 or 3 sequences of different lengths, a reset in the middle, and
//! dimensions of which no two are equal. The shapes at the edges, where errors of another kind live, are a list:
//! [`Case::edges`].

use crate::numbers::generator;
use longhand::{Layout, Sequences};
use proptest::prelude::{Just, Strategy, any};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// The shape of one check, and the seed of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Features of the input.
    pub inputs: usize,
    /// Hidden units, for a layer that has some.
    pub hidden: usize,
    /// Features of the output, for a layer in which they can be chosen apart from the hidden units.
    pub outputs: usize,
    /// Steps, sequences, and which of them are valid or reset.
    pub layout: Layout,
    /// Where every number of the check comes from.
    pub seed: u64,
}

impl Case {
    /// A case of these shapes with all steps valid and no reset.
    pub fn new(steps: usize, batch: usize, inputs: usize, hidden: usize, outputs: usize, seed: u64) -> Case {
        Case { inputs, hidden, outputs, layout: Layout::new(steps, batch), seed }
    }

    /// The same under other marks (and other numbers of steps and sequences, if the layout has them).
    #[must_use]
    pub fn with_layout(self, layout: Layout) -> Case {
        Case { layout, ..self }
    }

    /// The same with other numbers.
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

    /// A generator for what the check does not draw by itself.
    pub fn generator(&self) -> ChaCha8Rng {
        generator(self.seed, u64::MAX)
    }

    /// Shapes where errors show: 3 to 8 steps of 2 or 3 sequences of different lengths, a reset in the middle,
    /// sometimes a gap, all dimensions different. Shapes shrink; numbers do not, because they come from the seed.
    pub fn strategy() -> impl Strategy<Value = Case> {
        let sizes = (3_usize..=8, 2_usize..=3, 2_usize..=7, 2_usize..=7, 2_usize..=7);
        (sizes, any::<[u8; 4]>(), any::<u64>().no_shrink()).prop_flat_map(|(sizes, marks, seed)| {
            let (steps, batch, inputs, hidden, outputs) = sizes;
            Just(Case::marked([batch, steps, inputs, hidden, outputs], marks, seed))
        })
    }

    /// A case of the shape policy by itself, from a seed.
    pub fn from_seed(seed: u64) -> Case {
        use rand_chacha::rand_core::Rng;
        let generator = &mut generator(seed, u64::MAX - 1);
        let mut within = |low: usize, high: usize| low + generator.next_u32() as usize % (high - low + 1);
        let sizes = [within(2, 3), within(3, 8), within(2, 7), within(2, 7), within(2, 7)];
        let marks = [0; 4].map(|_: u8| within(0, 255) as u8);
        Case::marked(sizes, marks, seed)
    }

    /// Sizes as batch, steps, inputs, hidden, outputs, made different from each other by raising the later ones.
    fn marked(mut sizes: [usize; 5], marks: [u8; 4], seed: u64) -> Case {
        for i in 1..sizes.len() {
            while sizes[..i].contains(&sizes[i]) {
                sizes[i] += 1;
            }
        }
        let [batch, steps, inputs, hidden, outputs] = sizes;
        let choose = |mark: usize, n: usize| usize::from(marks[mark]) % n;
        // One sequence has all the steps, the others fewer, and no two the same number.
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
        // An invalid step between valid ones, but not at the reset (that is an edge), and not if it would leave two
        // sequences with the same number of valid steps.
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

/// A layout with one valid mark a column, where their number is right by construction.
pub(crate) fn with_valid(layout: Layout, valid: Vec<bool>) -> Layout {
    layout.with_valid(valid).expect("one mark a column")
}

/// Marks, for messages: a word for each sequence, a character for each of its steps.
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

/// `T=5, batch=2, hidden=3, inputs=2, seed=0x1f3a`, and the marks if there are any: one character a step, `-` valid,
/// `.` invalid, `r` reset before a valid step, `R` before an invalid one.
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
