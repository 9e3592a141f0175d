//! Gradient clipping. It has no backward pass, but it must change a gradient exactly as documented.

use longhand::{Elman, Layer, Linear, Tensors, clip_by_global_norm, clip_by_value, global_norm};
use longhand_gradcheck::{Case, Setting};
use proptest::prelude::*;

/// All elements in order.
fn elements<P: Tensors<f64>>(value: &P) -> Vec<f64> {
    let mut all = Vec::new();
    value.visit(&longhand::Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
    all
}

proptest! {
    #[test]
    fn clipping_by_norm_keeps_the_direction(case in Case::strategy(), part in 0.01_f64..3.0) {
        let model = Elman::zeros(case.inputs, case.hidden).then(Linear::zeros(case.hidden, case.outputs))?;
        let gradients = Setting::of_case(&model, &case).passes().gradients;
        let before = elements(&gradients);
        let norm = before.iter().map(|g| g * g).sum::<f64>().sqrt();
        prop_assert!((global_norm(&gradients) - norm).abs() <= 1e-14 * norm);
        let mut clipped = gradients.clone();
        // One norm over all tensors: separate norms would change the direction of the gradient.
        let returned = clip_by_global_norm(&mut clipped, part * norm);
        prop_assert!((returned - norm).abs() <= 1e-14 * norm);
        for (after, before) in elements(&clipped).into_iter().zip(before) {
            prop_assert!((after - part.min(1.0) * before).abs() <= 1e-14 * norm);
        }
    }

    #[test]
    fn clipping_by_value_clamps_each_element(case in Case::strategy(), limit in 0.01_f64..3.0) {
        let gradients = Setting::of_case(&Elman::zeros(case.inputs, case.hidden), &case).passes().gradients;
        let mut clipped = gradients.clone();
        clip_by_value(&mut clipped, limit);
        for (after, before) in elements(&clipped).into_iter().zip(elements(&gradients)) {
            prop_assert_eq!(after.to_bits(), before.clamp(-limit, limit).to_bits());
        }
    }
}
