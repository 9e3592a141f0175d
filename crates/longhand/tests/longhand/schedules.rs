//! Learning-rate schedules: known values and monotonicity.

use longhand::schedule;

fn assert_near(given: f64, expected: f64) {
    assert!((given - expected).abs() < 1e-14, "got {given}, expected {expected}");
}

fn assert_never_increases(factor: impl Fn(usize) -> f64, steps: usize) {
    for step in 1..steps {
        assert!(factor(step) <= factor(step - 1), "at step {step}: {} after {}", factor(step), factor(step - 1));
    }
}

#[test]
fn linear_warm_up_rises_to_one() {
    assert_near(schedule::linear_warm_up(0, 4), 0.25);
    assert_near(schedule::linear_warm_up(2, 4), 0.75);
    for (step, steps) in [(3, 4), (4, 4), (1000, 4), (0, 1), (0, 0), (usize::MAX - 1, 5)] {
        assert_near(schedule::linear_warm_up(step, steps), 1.0);
    }
    assert_never_increases(|step| -schedule::linear_warm_up(step, 10), 20);
    // The schedule after the warm-up counts its steps from the end of the warm-up.
    let after = |step| schedule::warm_up_then(step, 3, |step| 100.0 + step as f64);
    for (step, expected) in [1.0 / 3.0, 2.0 / 3.0, 1.0, 100.0, 101.0].into_iter().enumerate() {
        assert_near(after(step), expected);
    }
}

#[test]
fn cosine_falls_from_one_to_the_floor() {
    for floor in [0.0, 0.1] {
        assert_near(schedule::cosine(0, 90, floor), 1.0);
        assert_near(schedule::cosine(45, 90, floor), floor.midpoint(1.0));
        assert_near(schedule::cosine(30, 90, floor), floor + (1.0 - floor) * 0.75);
        for step in [90, 91, usize::MAX] {
            assert_near(schedule::cosine(step, 90, floor), floor);
        }
        assert_never_increases(|step| schedule::cosine(step, 90, floor), 120);
    }
    assert_near(schedule::cosine(0, 0, 0.2), 0.2);
}

#[test]
fn linear_falls_from_one_to_the_floor() {
    assert_near(schedule::linear(0, 10, 0.2), 1.0);
    assert_near(schedule::linear(5, 10, 0.2), 0.6);
    assert_near(schedule::linear(10, 10, 0.2), 0.2);
    assert_near(schedule::linear(usize::MAX, 10, 0.2), 0.2);
    assert_never_increases(|step| schedule::linear(step, 10, 0.2), 20);
}

#[test]
fn step_and_exponential_decay_have_known_values() {
    for (step, expected) in [(0, 1.0), (4, 1.0), (5, 0.5), (9, 0.5), (10, 0.25)] {
        assert_near(schedule::step_decay(step, 5, 0.5), expected);
    }
    assert_near(schedule::exponential(7, 0.9), 0.9_f64.powi(7));
    assert_near(schedule::exponential(usize::MAX, 0.9), 0.0);
    assert_never_increases(|step| schedule::exponential(step, 0.99), 100);
    assert_never_increases(|step| schedule::step_decay(step, 3, 0.5), 100);
}

#[test]
fn warm_restarts_begin_at_one_and_end_above_the_floor() {
    for (period, multiplier, restarts) in [(4, 1, vec![4, 8, 12]), (4, 2, vec![4, 12, 28]), (1, 3, vec![1, 4, 13])] {
        let factor = |step| schedule::cosine_with_warm_restarts(step, period, multiplier, 0.1);
        let found: Vec<usize> = (1..29).filter(|&step| factor(step) > factor(step - 1)).collect();
        for step in restarts {
            assert_near(factor(step), 1.0);
            // A period of one step has one value only.
            assert!(found.contains(&step) || step == 1, "{found:?} has no restart at {step}");
        }
        assert!((0..100).all(|step| factor(step) > 0.1));
    }
    // Within a period it is the cosine.
    for step in 0..10 {
        assert_near(schedule::cosine_with_warm_restarts(10 + step, 10, 2, 0.3), schedule::cosine(step, 20, 0.3));
    }
    let largest = usize::MAX;
    for (period, multiplier) in [(1, 1), (1, 2), (3, largest), (largest, largest), (largest, 1)] {
        let factor = schedule::cosine_with_warm_restarts(largest - 1, period, multiplier, 0.2);
        assert!(
            (0.2..=1.0).contains(&factor),
            "{factor} at the last step with period {period}, multiplier {multiplier}"
        );
    }
}

#[test]
fn one_cycle_rises_to_one_and_falls_to_the_last_factor() {
    let factor = |step| schedule::one_cycle(step, 50, 20, 0.2, 0.01);
    assert_near(factor(0), 0.2);
    assert_near(factor(19), 1.0);
    for step in [49, 50, usize::MAX] {
        assert_near(factor(step), 0.01);
    }
    assert_never_increases(|step| -factor(step), 20);
    assert_never_increases(|step| factor(19 + step), 40);
    // Without a warm-up, the peak is at the first step.
    for warm_up in [0, 1] {
        assert_near(schedule::one_cycle(0, 10, warm_up, 0.2, 0.0), 1.0);
        assert_near(schedule::one_cycle(9, 10, warm_up, 0.2, 0.0), 0.0);
    }
    // The last step counts as the end, not as the peak.
    assert_near(schedule::one_cycle(4, 5, 5, 0.2, 0.0), 0.0);
    assert_near(schedule::one_cycle(0, 0, 0, 0.2, 0.5), 0.5);
    assert_near(schedule::one_cycle(0, 1, 1, 0.2, 0.5), 0.5);
}

#[test]
fn polynomial_falls_from_one_to_the_floor() {
    for floor in [0.0, 0.3] {
        assert_near(schedule::polynomial(0, 10, 2.0, floor), 1.0);
        assert_near(schedule::polynomial(5, 10, 2.0, floor), floor + (1.0 - floor) * 0.25);
        assert_near(schedule::polynomial(9, 10, 0.5, floor), floor + (1.0 - floor) * 0.1_f64.sqrt());
        for step in [10, usize::MAX] {
            assert_near(schedule::polynomial(step, 10, 2.0, floor), floor);
        }
        for step in 0..12 {
            assert_near(schedule::polynomial(step, 10, 1.0, floor), schedule::linear(step, 10, floor));
        }
    }
    assert_near(schedule::polynomial(0, 0, 1.0, 0.2), 0.2);
}

#[test]
fn invalid_periods_warm_ups_and_powers_panic() {
    let panics = |f: &dyn Fn() -> f64| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
    assert!(panics(&|| schedule::cosine_with_warm_restarts(3, 0, 1, 0.0)));
    assert!(panics(&|| schedule::cosine_with_warm_restarts(3, 1, 0, 0.0)));
    assert!(panics(&|| schedule::one_cycle(3, 10, 11, 0.1, 0.0)));
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        for step in [0, 7, 20] {
            assert!(panics(&|| schedule::cosine_with_warm_restarts(step, 5, 2, bad)), "warm restarts to {bad}");
            assert!(panics(&|| schedule::one_cycle(step, 10, 3, bad, 0.0)), "a cycle from {bad}");
            assert!(panics(&|| schedule::one_cycle(step, 10, 3, 0.1, bad)), "a cycle to {bad}");
            assert!(panics(&|| schedule::polynomial(step, 10, 1.0, bad)), "polynomial to {bad}");
            assert!(panics(&|| schedule::polynomial(step, 10, bad, 0.0)), "polynomial of power {bad}");
        }
    }
    assert!(panics(&|| schedule::polynomial(1, 10, 0.0, 0.0)));
}

#[test]
fn invalid_factors_panic() {
    let panics = |f: &dyn Fn() -> f64| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        for step in [0, 10] {
            assert!(panics(&|| schedule::cosine(step, 5, bad)), "cosine to {bad}");
            assert!(panics(&|| schedule::linear(step, 5, bad)), "linear to {bad}");
            assert!(panics(&|| schedule::step_decay(step, 5, bad)), "decay by {bad}");
            assert!(panics(&|| schedule::exponential(step, bad)), "exponential decay by {bad}");
        }
    }
    assert!(panics(&|| schedule::step_decay(3, 0, 0.5)));
    assert_near(schedule::linear_warm_up(usize::MAX, 3), 1.0);
}
