//! Runs a check in many cases: random cases, whose shapes shrink if one fails, and then the edge cases.

use super::Checker;
use crate::adjoint::Agreement;
use crate::case::Case;
use crate::failure::Failure;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::RefCell;

/// A failure and the case in which it occurred.
pub(super) struct Rejection {
    pub(super) failure: Failure,
    place: String,
}

impl Checker {
    /// Runs a check. Panics with the report if the check fails.
    #[track_caller]
    pub(super) fn run_or_panic(&self, check: &dyn Fn(&Checker, &Case) -> Result<Agreement, Failure>) {
        if let Err(rejection) = self.run(check) {
            panic!("\n{}\n  {}\n", rejection.failure, rejection.place);
        }
    }

    pub(super) fn run(
        &self,
        check: &dyn Fn(&Checker, &Case) -> Result<Agreement, Failure>,
    ) -> Result<(), Box<Rejection>> {
        let config = Config { cases: self.cases, failure_persistence: None, ..Config::default() };
        let generator = if self.seed == 1 {
            TestRng::deterministic_rng(RngAlgorithm::ChaCha)
        } else {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&self.seed.to_le_bytes());
            TestRng::from_seed(RngAlgorithm::ChaCha, &seed)
        };
        let mut runner = TestRunner::new_with_rng(config, generator);
        let last = RefCell::new(None);
        let found = runner.run(&Case::strategy(), |case| {
            check(self, &case).map(|_| ()).map_err(|failure| {
                let reason = failure.to_string();
                *last.borrow_mut() = Some(failure);
                TestCaseError::fail(reason)
            })
        });
        match found {
            Ok(()) => {}
            Err(TestError::Abort(reason)) => panic!("{reason}"),
            Err(TestError::Fail(_, case)) => {
                // Check the smallest case again: the last failure that was seen may be that of another case.
                let again = check(self, &case).err().or(last.into_inner());
                let failure = again.unwrap_or_else(|| panic!("the check failed in {case}, but passes when repeated"));
                return Err(Box::new(Rejection { failure, place: format!("smallest case: {case}") }));
            }
        }
        let edges = self.at_an_edge();
        for (edge, case) in Case::edges(self.seed) {
            check(&edges, &case)
                .map_err(|failure| Box::new(Rejection { failure, place: format!("edge case: {edge}") }))?;
        }
        Ok(())
    }
}
