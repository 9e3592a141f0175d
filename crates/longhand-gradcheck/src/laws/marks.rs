//! The law of marks: which steps of the output are valid, and at which a sequence is reset.

use super::compare::LawCheck;
use super::reuse::with_layout;
use crate::case::with_valid;
use crate::failure::Failure;
use crate::law::Law;
use crate::setting::{SequenceLayer, Setting};
use longhand::Layout;

/// Checks that an output with as many steps as the input has the same valid steps and the same resets. Checks that
/// these marks do not depend on an earlier use of the cache.
///
/// Catches an output that loses its marks, or keeps those of an earlier call. The values are then right, but the next
/// layer and the loss also read the marks. A layer that reduces several steps to one, such as [`longhand::LastStep`],
/// sets its own marks, which are not compared with those of the input.
///
/// # Errors
/// If the output has different marks.
pub fn marks<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(Law::Marks, "the output must have the valid steps and resets of the input", setting);
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
                "output: step {} of sequence {} is valid, or has a reset, in only one of input and output; call \
                 output.reshape(features, input.layout())",
                column / batch,
                column % batch
            )
        })?;
    }
    let nothing_valid = with_valid(Layout::new(steps, batch), vec![false; steps * batch]);
    for earlier in [Layout::new(steps, batch), nothing_valid] {
        let mut cache = L::Cache::default();
        Setting { input: with_layout(&setting.input, earlier), ..setting.clone() }.forward(&mut cache);
        let used = setting.forward(&mut cache).0;
        check.require(used.layout() == fresh.layout(), || {
            "output: its marks (valid steps and resets) are those of an earlier call with the same cache".to_owned()
        })?;
    }
    Ok(())
}
