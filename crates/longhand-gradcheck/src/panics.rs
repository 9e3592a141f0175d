//! Converts panics inside a layer into reports.

use crate::failure::{Failure, PanicFailure};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`. Converts a panic into a failure that names the law and the case.
pub(crate) fn caught<R>(
    law: &str,
    context: impl FnOnce() -> String,
    f: impl FnOnce() -> Result<R, Failure>,
) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let message = text.unwrap_or_else(|| "a panic without a message".to_owned());
        Err(Failure::Panic(PanicFailure { law: law.to_owned(), message, context: context() }))
    })
}

/// Whether `f` panics.
pub(crate) fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}
