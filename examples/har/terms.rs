//! Explanations and warnings that the opening lines, tables, figures and `summary.json` share.

use crate::text::counted;
use std::collections::BTreeSet;

/// The abbreviations of the study's settings.
pub const SETTINGS: &str = "LR: learning rate; N: hidden units; B: length of the truncation window, in steps";

/// The study's name for `B`. It needs a remark, because B usually means the number of sequences per update.
pub const STUDY_BATCH: &str = "The study calls B the mini batch size, but each update uses one sequence.";

/// The note on truncation windows (B) that are longer than a sequence of `steps` steps; `None` if there are none.
pub fn without_truncation(windows: impl IntoIterator<Item = usize>, steps: usize) -> Option<String> {
    let long: BTreeSet<usize> = windows.into_iter().filter(|&window| window > steps).collect();
    let long: Vec<String> = long.iter().map(ToString::to_string).collect();
    (!long.is_empty()).then(|| {
        let length = counted(steps, "step");
        format!(
            "Note: a sequence has {length}. Models with B {} are therefore trained without truncation, as with B {steps}.",
            long.join(", ")
        )
    })
}

/// Definition of the top-k scores.
pub const TOP_K: &str = "Top-k: share of test windows whose true class is among the k highest outputs";

/// Definition of the best epoch.
pub const BEST_EPOCH: &str = "Best epoch: the epoch with the lowest validation loss. Training continues after it.";

/// The reason why the two losses of part c differ.
pub const VALIDATION_LOSS: &str = "Why the validation loss is often several times the training loss: the weights are \
     updated after each truncation window, and all windows of a sequence have the same class. The training loss is \
     measured with weights that were just moved towards this class. The validation loss is measured after the epoch, \
     with weights that favour the classes of the last training sequences.";

/// The warning about the scores of a quick run.
pub const QUICK: &str = "Quick run: training is too short and the test set too small for meaningful scores. \
     Run without --quick to compare models.";

/// The warning beside the study's published scores.
pub fn published(synthetic: bool) -> &'static str {
    if synthetic {
        "Warning: the published scores are for real recordings. Scores on synthetic recordings are not comparable."
    } else {
        "The published scores are for the study's own recordings."
    }
}
