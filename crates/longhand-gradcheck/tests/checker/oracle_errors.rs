//! Measures the errors of the oracles: dual numbers, central differences with several steps, and central differences
//! with Richardson extrapolation. Each is compared with the hand-written backward pass of an Elman layer over 150
//! steps. Errors are relative to the size of the terms. `cargo test --test checker oracle_errors -- --nocapture` prints
//! the table.

use longhand::{Elman, Layer, Layout, Path, Tensors};
use longhand_gradcheck::{Case, Differences, Direction, DualNumbers, Oracle, Setting};

/// All elements in order.
fn elements<P: Tensors<f64>>(value: &P) -> Vec<f64> {
    let mut all = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
    all
}

type Layer64 = Elman<f64>;

/// The loss after the parameters move by `s` times the direction `u`.
fn loss(setting: &Setting<Layer64>, u: &[f64], s: f64) -> f64 {
    let mut moved = setting.clone();
    let mut along = u.iter();
    moved.layer.visit_mut(&Path::ROOT, &mut |_, _, values| {
        values.iter_mut().zip(&mut along).for_each(|(value, u)| *value += s * u);
    });
    let (output, carry) = moved.forward(&mut <Layer64 as Layer<f64>>::Cache::default());
    let dot = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>();
    dot(elements(&output), elements(&setting.d_output)) + dot(elements(&carry), elements(&setting.d_carry))
}

#[test]
fn dual_numbers_are_exact_and_differences_keep_their_error_bound() {
    let steps = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
    let mut bounds = Vec::new();
    let (mut dual, mut richardson) = (Vec::new(), Vec::new());
    let mut central = vec![Vec::new(); steps.len()];
    for seed in 0..60 {
        let case = Case::new(150, 1, 3, 8, 6, seed).with_layout(Layout::new(150, 1));
        let setting = Setting::of_case(&Elman::zeros(3, 8), &case);
        let gradient = elements(&setting.passes().gradients);
        let u: Vec<f64> = (0..gradient.len()).map(|i| (1.0 + i as f64 + seed as f64).sin()).collect();
        let analytic: f64 = gradient.iter().zip(&u).map(|(g, u)| g * u).sum();
        let direction = Direction { parameters: u.clone(), ..Direction::default() };
        let exact = DualNumbers.derivative(&setting, &direction);
        let size = exact.magnitude + gradient.iter().zip(&u).map(|(g, u)| (g * u).abs()).sum::<f64>();
        dual.push((exact.value - analytic).abs() / size);
        let found = Differences::new().derivative(&setting, &direction);
        assert!(
            (found.value - analytic).abs() <= found.error,
            "the error of the differences exceeds its bound: {case}"
        );
        bounds.push(found.error / size);
        richardson.push((found.value - analytic).abs() / size);
        for (errors, h) in central.iter_mut().zip(steps) {
            let difference = (loss(&setting, &u, h) - loss(&setting, &u, -h)) / (2.0 * h);
            errors.push((difference - analytic).abs() / size);
        }
    }
    let summary = |errors: &mut Vec<f64>| {
        errors.sort_by(f64::total_cmp);
        (errors[errors.len() / 2], errors[errors.len() - 1])
    };
    let (typical, worst) = summary(&mut dual);
    println!("dual numbers             typical {typical:.1e}  worst {worst:.1e}");
    assert!(worst < 1e-13);
    for (errors, h) in central.iter_mut().zip(steps) {
        let (typical, worst) = summary(errors);
        println!("central, h = {h:.0e}        typical {typical:.1e}  worst {worst:.1e}");
        assert!(typical > 1e-14, "a central difference is as exact as dual numbers");
    }
    let (typical, worst) = summary(&mut richardson);
    println!("Richardson extrapolation typical {typical:.1e}  worst {worst:.1e}");
    assert!(typical < 1e-9);
    let (typical, worst) = summary(&mut bounds);
    println!("tolerance of Richardson  typical {typical:.1e}  worst {worst:.1e}");
}
