//! The progress bar of [`Fit`], which the feature `indicatif` adds.

use super::{EpochEnd, Fit};

#[cfg(feature = "indicatif")]
impl<M, X: ?Sized, Y> Fit<'_, M, X, Y> {
    pub(super) fn begin_progress(&self, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps as u64);
        }
    }

    pub(super) fn progress(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    pub(super) fn show(&self, end: &EpochEnd<'_, M>) {
        if let Some(bar) = &self.bar {
            bar.set_message(end.to_string());
        }
    }

    pub(super) fn finish_progress(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

#[cfg(not(feature = "indicatif"))]
#[allow(clippy::unused_self, reason = "with the feature `indicatif` these methods move a bar")]
impl<M, X: ?Sized, Y> Fit<'_, M, X, Y> {
    pub(super) fn begin_progress(&self, _: usize) {}

    pub(super) fn progress(&self) {}

    pub(super) fn show(&self, _: &EpochEnd<'_, M>) {}

    pub(super) fn finish_progress(&self) {}
}
