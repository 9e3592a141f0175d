//! Training by truncated backpropagation through time (Williams and Peng, 1990; Elman nets: Werbos, 1990).
//!
//! A batch of sequences is cut into windows of steps. Each window runs forward from the carry that the one before it
//! left, and backward with a zero gradient for the carry that it leaves: the gradient is that of the window's loss with
//! its incoming carry held constant. A window at least as long as the sequences is full backpropagation, bit for bit.
//!
//! | what | where |
//! |---|---|
//! | the call: gradients of a batch, or an update per window | [`Trainer`] |
//! | training data and errors | [`Batch`], [`TrainingError`] |
//! | all windows of a batch | `windows.rs` |
//! | one window, forward and backward | `window.rs` |
//! | the buffers, for all sequences of a batch or for some of them | `shard.rs` |
//! | several threads | `parallel.rs` |

mod batch;
#[cfg(feature = "rayon")]
mod parallel;
mod sequence_input;
mod shard;
mod trainer;
mod training_error;
mod window;
mod windows;

pub use batch::Batch;
pub use sequence_input::SequenceInput;
pub use trainer::Trainer;
pub use training_error::TrainingError;

use crate::{HyperparameterError, Layout};
use core::ops::Range;

/// Where a sequence has its loss. A loss that needs whole sequences
/// ([`Loss::needs_whole_sequences`](crate::Loss::needs_whole_sequences)) has one per sequence in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossAt {
    /// At every valid step; the model gives an output at every step.
    EveryStep,
    /// At the last valid step of each window. The model gives an output at every step, or one for the window (after
    /// [`LastStep`](crate::LastStep) or [`MeanOverTime`](crate::MeanOverTime)).
    WindowEnd,
    /// In the window that holds the sequence's last valid step only, at that step or with that window's one output.
    LastValidStep,
}

/// The choices of truncated backpropagation through time: the length of a window, and where a sequence has its loss.
///
/// A [`Trainer`] runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TruncatedBptt {
    window: usize,
    loss_at: LossAt,
}

impl TruncatedBptt {
    /// Windows of `window` steps; the last window of a sequence may be shorter.
    ///
    /// # Errors
    /// If `window` is 0.
    pub fn new(window: usize, loss_at: LossAt) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(window > 0, "window", 0.0, "at least 1 step")?;
        Ok(TruncatedBptt { window, loss_at })
    }

    /// Backpropagation through the whole sequence.
    pub fn full(loss_at: LossAt) -> Self {
        TruncatedBptt { window: usize::MAX, loss_at }
    }

    /// The length of a window in steps; `usize::MAX` for the whole sequence.
    pub fn window(self) -> usize {
        self.window
    }

    /// Where a sequence has its loss.
    pub fn loss_at(self) -> LossAt {
        self.loss_at
    }

    /// The truncation windows, from the first step to the last; the last window may be shorter.
    fn windows(&self, layout: &Layout) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
        let (length, steps) = (self.window, layout.steps());
        (0..steps).step_by(length.min(steps.max(1))).map(move |start| start..steps.min(start.saturating_add(length)))
    }
}
