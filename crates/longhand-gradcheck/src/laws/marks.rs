//! The law of marks: which steps of the output are valid, and which start anew.

use super::compare::LawCheck;
use super::reuse::remarked;
use crate::case::with_valid;
use crate::failure::Failure;
use crate::law::Law;
use crate::setting::{SequenceLayer, Setting};
use longhand::Layout;

/// Where the output has as many steps as the input, the same steps are valid and the same steps start anew; and its marks do not depend on what the cache
/// was used for before.
///
/// Catches an output that loses its marks, or keeps those of an earlier call: the values are right, but the next layer and
/// the loss read the marks too. A layer from several steps to one, as [`longhand::LastStep`], chooses its own marks.
///
/// # Errors
/// If the output has other marks.
pub fn marks<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(Law::Marks, "the output has the marks of the input", setting);
    let layout = setting.input.layout();
    let fresh = setting.forward(&mut L::Cache::default()).0;
    let (steps, batch) = (layout.steps(), layout.batch());
    if steps > 1 && (fresh.steps(), fresh.batch()) == (steps, batch) {
        let differs = |column: &usize| {
            let (step, sequence) = (column / batch, column % batch);
            let differs = |mark: fn(&Layout, usize, usize) -> bool| {
                mark(fresh.layout(), step, sequence) != mark(layout, step, sequence)
            };
            differs(Layout::is_valid) || differs(Layout::resets)
        };
        let different = (0..steps * batch).find(differs);
        check.require(different.is_none(), || {
            let column = different.unwrap_or_default();
            format!(
                "output: step {} of sequence {} is valid, or starts anew, in the input or in the output, but not in both; call \
                 output.reshape(features, input.layout())",
                column / batch,
                column % batch
            )
        })?;
    }
    let nothing_valid = with_valid(Layout::new(steps, batch), vec![false; steps * batch]);
    for earlier in [Layout::new(steps, batch), nothing_valid] {
        let mut cache = L::Cache::default();
        Setting { input: remarked(&setting.input, earlier), ..setting.clone() }.forward(&mut cache);
        let used = setting.forward(&mut cache).0;
        check.require(used.layout() == fresh.layout(), || {
            "output: its marks (valid steps and resets) are those of an earlier call with the same cache".to_owned()
        })?;
    }
    Ok(())
}
