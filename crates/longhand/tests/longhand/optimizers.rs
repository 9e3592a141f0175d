//! Optimizers against plain loops that implement PyTorch's descriptions of the algorithms.

mod frozen;
mod lookahead;
mod precision;
mod pytorch;

use crate::common::{assert_close, elements, elman, generator, linear, random_like};
use longhand::{
    Adagrad, Adam, AdamW, Chain, ChangeScalar, Elman, Gradients, Layer, Linear, Lion, Lookahead, Optimizer,
    ParameterGroup, Path, RmsProp, Sgd, Tensors, nalgebra,
};

type Model = Chain<Elman<f64>, Linear<f64>>;

fn model() -> Model {
    let g = &mut generator(1);
    elman(3, 5, g).then(linear(5, 2, g)).expect("the features match")
}

/// Random gradients for a model of any shape.
fn random_gradients<M: Tensors<f64>>(model: &M, seed: u64) -> Gradients<M> {
    let mut gradients = Gradients::zeros(model);
    *gradients.values_mut() = random_like(model, &mut generator(seed));
    gradients
}

/// Runs an optimizer and a plain update of one weight, `plain(w, g, state, t, rate)`, on the same gradients, and
/// compares the weights after each step.
fn compare<O, S>(optimizer: &mut O, state: S, plain: impl Fn(&mut f64, f64, &mut S, i32, f64))
where
    O: Optimizer<f64>,
    S: Clone,
{
    let mut model = model();
    let mut expected: Vec<(f64, S)> = elements(&model).into_iter().map(|w| (w, state.clone())).collect();
    for t in 1..=25 {
        // Gradients of very different sizes, some of them zero, and a variable learning rate.
        let mut gradients = random_gradients(&model, 100 + t as u64);
        gradients.values_mut().visit_mut(&Path::ROOT, &mut |_, _, values| {
            for (i, g) in values.iter_mut().enumerate() {
                *g *= [1.0, 1e-6, 30.0, 0.0][i % 4];
            }
        });
        let rate = 0.1 / f64::from(t);
        optimizer.step(&mut model, &gradients, rate);
        for ((w, state), g) in expected.iter_mut().zip(elements(gradients.values())) {
            plain(w, g, state, t, rate);
        }
        for (given, (expected, _)) in elements(&model).iter().zip(&expected) {
            let error = (given - expected).abs() / expected.abs().max(1.0);
            assert!(error < 1e-14, "step {t}: got {given}, expected {expected}, relative error {error:e}");
        }
    }
}

#[test]
fn sgd_equals_the_plain_update() {
    compare(&mut Sgd::new(), (), |w, g, (), _, rate| *w -= rate * g);
    let mut decaying = Sgd::new().with_weight_decay(0.1).expect("the value is in range");
    compare(&mut decaying, (), |w, g, (), _, rate| *w -= rate * (g + 0.1 * *w));
}

#[test]
fn sgd_with_value_clipping_equals_sgd_on_clipped_gradients() {
    let plain = || Sgd::<f64>::new();
    let momentum = || {
        Sgd::<f64>::new().with_momentum(0.9).and_then(|sgd| sgd.with_weight_decay(0.1)).expect("the value is in range")
    };
    for make in [plain as fn() -> Sgd<f64>, momentum] {
        let (mut clipping, mut clipped_before) =
            (make().with_value_clipping(0.3).expect("the limit is positive"), make());
        let (mut given, mut expected) = (model(), model());
        for seed in 0..3 {
            let mut gradients = random_gradients(&given, seed);
            assert!(elements(gradients.values()).iter().any(|g| g.abs() > 0.3), "some gradients must exceed the limit");
            clipping.step(&mut given, &gradients, 0.1);
            gradients.clip_by_value(0.3);
            clipped_before.step(&mut expected, &gradients, 0.1);
            assert_eq!(elements(&given), elements(&expected));
        }
    }
    for limit in [0.0, -1.0, f64::NAN] {
        let error = Sgd::<f64>::new().with_value_clipping(limit).expect_err("the limit is not positive");
        assert!(error.to_string().contains("value clipping"), "{error}");
    }
}

/// As in PyTorch, the buffer is the gradient after the first step. Later, `buffer = momentum * buffer + g`.
#[test]
fn sgd_with_momentum_nesterov_and_weight_decay_equals_the_plain_update() {
    for (nesterov, decay) in [(false, 0.0), (true, 0.0), (false, 0.05), (true, 0.05)] {
        let momentum = 0.9;
        let sgd = Sgd::new().with_weight_decay(decay).expect("the value is in range");
        let sgd = if nesterov { sgd.with_nesterov_momentum(momentum) } else { sgd.with_momentum(momentum) };
        compare(&mut sgd.expect("the value is in range"), None, |w, g, buffer: &mut Option<f64>, _, rate| {
            let g = g + decay * *w;
            let b = buffer.map_or(g, |b| momentum * b + g);
            *buffer = Some(b);
            *w -= rate * if nesterov { g + momentum * b } else { b };
        });
    }
}

/// The update of one weight by PyTorch's Adam, or AdamW if `decoupled`. The state is both moments.
fn plain_adam(
    (beta1, beta2, epsilon): (f64, f64, f64),
    decay: f64,
    decoupled: bool,
) -> impl Fn(&mut f64, f64, &mut (f64, f64), i32, f64) {
    move |w, g, (m, v), t, rate| {
        let g = if decoupled { g } else { g + decay * *w };
        if decoupled {
            *w -= rate * decay * *w;
        }
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        let (m_hat, v_hat) = (*m / (1.0 - beta1.powi(t)), *v / (1.0 - beta2.powi(t)));
        *w -= rate * m_hat / (v_hat.sqrt() + epsilon);
    }
}

#[test]
fn adam_equals_the_plain_update() {
    let default = (0.9, 0.999, 1e-8);
    compare(&mut Adam::new(), (0.0, 0.0), plain_adam(default, 0.0, false));
    let mut decaying = Adam::new().with_weight_decay(0.1).expect("the value is in range");
    compare(&mut decaying, (0.0, 0.0), plain_adam(default, 0.1, false));
    let other = Adam::new().with_betas(0.5, 0.8).and_then(|adam| adam.with_epsilon(1e-3));
    compare(&mut other.expect("the value is in range"), (0.0, 0.0), plain_adam((0.5, 0.8, 1e-3), 0.0, false));
    let none = Adam::new().with_betas(0.0, 0.0);
    compare(&mut none.expect("the value is in range"), (0.0, 0.0), plain_adam((0.0, 0.0, 1e-8), 0.0, false));
}

#[test]
fn adam_w_equals_the_plain_update() {
    let default = (0.9, 0.999, 1e-8);
    compare(&mut AdamW::new(), (0.0, 0.0), plain_adam(default, 0.01, true));
    let mut decaying = AdamW::new().with_weight_decay(0.3).expect("the value is in range");
    compare(&mut decaying, (0.0, 0.0), plain_adam(default, 0.3, true));
    let mut none = AdamW::new().with_weight_decay(0.0).expect("the value is in range");
    compare(&mut none, (0.0, 0.0), plain_adam(default, 0.0, true));
}

/// The update of one weight by Lion. The state is the momentum.
fn plain_lion((beta1, beta2): (f64, f64), decay: f64) -> impl Fn(&mut f64, f64, &mut f64, i32, f64) {
    move |w, g, m, _, rate| {
        let c = beta1 * *m + (1.0 - beta1) * g;
        let sign = if c == 0.0 { 0.0 } else { c.signum() };
        *w -= rate * (sign + decay * *w);
        *m = beta2 * *m + (1.0 - beta2) * g;
    }
}

#[test]
fn lion_equals_the_plain_update() {
    compare(&mut Lion::new(), 0.0, plain_lion((0.9, 0.99), 0.0));
    let mut decaying = Lion::new().with_weight_decay(0.3).expect("the value is in range");
    compare(&mut decaying, 0.0, plain_lion((0.9, 0.99), 0.3));
    let mut other = Lion::new().with_betas(0.5, 0.8).expect("the values are in range");
    compare(&mut other, 0.0, plain_lion((0.5, 0.8), 0.0));
    let mut none = Lion::new().with_betas(0.0, 0.0).expect("the values are in range");
    compare(&mut none, 0.0, plain_lion((0.0, 0.0), 0.0));
}

/// PyTorch's form of the centred RMSProp, with the difference of squares. The state is both averages and the velocity.
#[test]
fn centred_rms_prop_equals_the_plain_update() {
    let (alpha, momentum, epsilon) = (0.9, 0.5, 1e-2);
    let rms_prop = RmsProp::new().with_alpha(alpha).and_then(|o| o.with_momentum(momentum));
    let rms_prop = rms_prop.and_then(|o| o.with_epsilon(epsilon)).map(RmsProp::centred);
    compare(&mut rms_prop.expect("in range"), (0.0, 0.0, 0.0), |w, g, (v, a, b): &mut (f64, f64, f64), _, rate| {
        *v = alpha * *v + (1.0 - alpha) * g * g;
        *a = alpha * *a + (1.0 - alpha) * g;
        *b = momentum * *b + g / ((*v - *a * *a).max(0.0).sqrt() + epsilon);
        *w -= rate * *b;
    });
}

/// After ten thousand steps, the bias corrections must still be accurate.
#[test]
fn adam_equals_the_plain_update_after_many_steps() {
    let (mut w, mut adam) = (Linear::<f64>::zeros(1, 1), Adam::new());
    let (mut expected, mut state, plain) = (0.0, (0.0, 0.0), plain_adam((0.9, 0.999, 1e-8), 0.0, false));
    let mut g = Gradients::zeros(&w);
    for t in 1..=10_000 {
        g.values_mut().weight[(0, 0)] = (f64::from(t) * 0.7).sin() + 0.1;
        adam.step(&mut w, &g, 1e-3);
        plain(&mut expected, g.values().weight[(0, 0)], &mut state, t, 1e-3);
    }
    assert!((w.weight[(0, 0)] - expected).abs() < 1e-12, "got {}, expected {expected}", w.weight[(0, 0)]);
}

#[test]
fn adam_at_f32_agrees_with_f64() {
    let mut wide = model();
    let mut narrow = ChangeScalar::map(&wide, &mut |w| w as f32);
    let (mut adam, mut adam32) = (Adam::<f64>::new(), Adam::<f32>::new());
    for seed in 0..20 {
        let gradients = random_gradients(&wide, seed);
        let mut rounded = Gradients::zeros::<f32>(&narrow);
        *rounded.values_mut() = ChangeScalar::map(gradients.values(), &mut |g| g as f32);
        adam32.step(&mut narrow, &rounded, 0.01);
        adam.step(&mut wide, &gradients, 0.01);
    }
    assert_close("parameter", &ChangeScalar::<f32>::map(&narrow, &mut f64::from), &wide, 1e-5);
}

#[test]
fn invalid_hyperparameters_are_errors_that_name_them() {
    fn assert_rejected<T>(name: &str, result: &Result<T, longhand::HyperparameterError>) {
        let error = result.as_ref().err().unwrap_or_else(|| panic!("{name} must be rejected"));
        assert_eq!(error.name, name);
        assert!(error.to_string().starts_with(&format!("{name} is ")), "{error}");
    }
    for bad in [-0.1, 1.0, 1.5, f64::NAN, f64::INFINITY] {
        assert_rejected("momentum", &Sgd::<f64>::new().with_momentum(bad));
        assert_rejected("momentum", &Sgd::<f64>::new().with_nesterov_momentum(bad));
        assert_rejected("beta1", &Adam::<f64>::new().with_betas(bad, 0.9));
        assert_rejected("beta2", &Adam::<f64>::new().with_betas(0.9, bad));
        assert_rejected("beta2", &AdamW::<f64>::new().with_betas(0.9, bad));
        assert_rejected("beta1", &Lion::<f64>::new().with_betas(bad, 0.9));
        assert_rejected("beta2", &Lion::<f64>::new().with_betas(0.9, bad));
        assert_rejected("alpha", &RmsProp::<f64>::new().with_alpha(bad));
        assert_rejected("momentum", &RmsProp::<f64>::new().with_momentum(bad));
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert_rejected("weight decay", &Sgd::<f64>::new().with_weight_decay(bad));
        assert_rejected("weight decay", &Adam::<f64>::new().with_weight_decay(bad));
        assert_rejected("weight decay", &AdamW::<f64>::new().with_weight_decay(bad));
        assert_rejected("epsilon", &Adam::<f64>::new().with_epsilon(bad));
        assert_rejected("weight decay", &RmsProp::<f64>::new().with_weight_decay(bad));
        assert_rejected("epsilon", &RmsProp::<f64>::new().with_epsilon(bad));
        assert_rejected("weight decay", &Adagrad::<f64>::new().with_weight_decay(bad));
        assert_rejected("epsilon", &Adagrad::<f64>::new().with_epsilon(bad));
        assert_rejected("learning rate decay", &Adagrad::<f64>::new().with_learning_rate_decay(bad));
        assert_rejected("initial accumulator", &Adagrad::<f64>::new().with_initial_accumulator(bad));
        assert_rejected("weight decay", &Lion::<f64>::new().with_weight_decay(bad));
        let group = || ParameterGroup::containing("bias").with_weight_decay(bad);
        assert_rejected("weight decay", &RmsProp::<f64>::new().with_group(group()));
        assert_rejected("weight decay", &Adagrad::<f64>::new().with_group(group()));
        assert_rejected("weight decay", &Lion::<f64>::new().with_group(group()));
    }
    for bad in [-1.0, 0.0, 1.01, f64::NAN, f64::INFINITY] {
        assert_rejected("alpha", &Lookahead::new(Sgd::<f64>::new()).with_alpha(bad));
    }
    assert_rejected("period", &Lookahead::new(Sgd::<f64>::new()).with_period(0));
    assert_rejected("epsilon", &AdamW::<f64>::new().with_epsilon(0.0));
}

#[test]
#[should_panic(expected = "an optimizer serves one model")]
fn an_optimizer_used_with_another_model_panics() {
    let mut adam = Adam::new();
    adam.step(&mut model(), &random_gradients(&model(), 1), 0.1);
    let mut other = linear(2, 2, &mut generator(2));
    let gradients = random_gradients(&other, 3);
    adam.step(&mut other, &gradients, 0.1);
}

#[test]
#[should_panic(expected = "different shapes")]
fn gradients_with_another_shape_panic() {
    let g = &mut generator(4);
    let gradients = random_gradients(&linear(3, 2, g), 5);
    Sgd::new().step(&mut linear(2, 3, g), &gradients, 0.1);
}

/// A parameter's group sets its learning rate and its weight decay; the others have the optimizer's.
#[test]
fn a_group_has_its_own_learning_rate_and_weight_decay() {
    let start = Linear::<f64> { weight: nalgebra::dmatrix![2.0], bias: nalgebra::dvector![2.0] };
    let mut gradients = Gradients::zeros(&start);
    gradients.values_mut().bias[0] = 1.0;
    gradients.values_mut().weight[(0, 0)] = 1.0;
    let group = ParameterGroup::containing("bias").with_learning_rate_factor(0.5).with_weight_decay(0.25);
    let mut optimizer = Sgd::new().with_weight_decay(0.5).unwrap().with_group(group).unwrap();
    let mut model = start;
    optimizer.step(&mut model, &gradients, 0.1);
    // w - learning_rate (gradient + weight_decay w)
    let (weight, bias) = (2.0 - 0.1 * (1.0 + 0.5 * 2.0), 2.0 - 0.05 * (1.0 + 0.25 * 2.0));
    let expected = Linear::<f64> { weight: nalgebra::dmatrix![weight], bias: nalgebra::dvector![bias] };
    assert_close("groups", &model, &expected, 1e-15);
}
