//! Optimizers, averages of weights and schedules against PyTorch in double precision: `reference.py` computed `reference.json`.

use longhand::nalgebra::DVector;
use longhand::{
    Adagrad, AdamW, ExponentialMovingAverage, Gradients, Linear, Optimizer, ParameterGroup, Path, RmsProp,
    StochasticWeightAverage, Tensors, schedule,
};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference.json")).expect("reference.json is JSON")
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// A setting, or what PyTorch has as a default.
fn setting(case: &Value, name: &str, default: f64) -> f64 {
    case["settings"].get(name).map_or(default, number)
}

fn count(case: &Value, name: &str) -> usize {
    number(&case["settings"][name]) as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

#[track_caller]
fn assert_close(about: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{about}");
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let error = (ours - theirs).abs() / theirs.abs().max(1.0);
        assert!(error < 1e-13, "{about}, element {index}: {ours} in longhand, {theirs} in PyTorch");
    }
}

/// A model of two tensors, named `0` and `1`.
type Pair = (DVector<f64>, DVector<f64>);

fn pair(value: &Value) -> Pair {
    let tensor = |index: usize| DVector::from_vec(numbers(&value[index]));
    (tensor(0), tensor(1))
}

fn check_optimizer(case: &Value, reference: &Value, optimizer: &mut impl Optimizer<f64>) {
    let mut model = pair(&reference["start"]);
    let mut gradients = Gradients::zeros(&model);
    let expected = list(&case["parameters"]);
    assert!(expected.len() >= 10, "there must be several steps");
    for (step, expected) in expected.iter().enumerate() {
        *gradients.values_mut() = pair(&reference["gradients"][step]);
        optimizer.step(&mut model, &gradients, number(&reference["rates"][step]));
        let (about, expected) = (format!("{} {}, step {step}", case["name"], case["settings"]), pair(expected));
        assert_close(&about, model.0.as_slice(), expected.0.as_slice());
        assert_close(&about, model.1.as_slice(), expected.1.as_slice());
    }
}

#[test]
fn optimizers_with_groups_agree_with_pytorch() {
    let reference = reference();
    for case in list(&reference["optimizers"]) {
        let group = ParameterGroup::starting_with("1").with_learning_rate_factor(0.5).with_weight_decay(0.25);
        let weight_decay = setting(case, "weight_decay", 0.0);
        let result = match case["name"].as_str() {
            Some("RMSprop") => {
                let rms_prop = || {
                    RmsProp::new()
                        .with_alpha(setting(case, "alpha", 0.99))?
                        .with_epsilon(setting(case, "eps", 1e-8))?
                        .with_momentum(setting(case, "momentum", 0.0))?
                        .with_weight_decay(weight_decay)?
                        .with_group(group)
                };
                let centred = case["settings"].get("centered").is_some();
                rms_prop().map(|optimizer| if centred { optimizer.centred() } else { optimizer }).map(
                    |mut optimizer| {
                        check_optimizer(case, &reference, &mut optimizer);
                    },
                )
            }
            Some("Adagrad") => {
                let adagrad = || {
                    Adagrad::new()
                        .with_learning_rate_decay(setting(case, "lr_decay", 0.0))?
                        .with_initial_accumulator(setting(case, "initial_accumulator_value", 0.0))?
                        .with_epsilon(setting(case, "eps", 1e-10))?
                        .with_weight_decay(weight_decay)?
                        .with_group(group)
                };
                adagrad().map(|mut optimizer| check_optimizer(case, &reference, &mut optimizer))
            }
            Some("AdamW") => AdamW::new()
                .with_weight_decay(weight_decay)
                .and_then(|optimizer| optimizer.with_group(group))
                .map(|mut optimizer| check_optimizer(case, &reference, &mut optimizer)),
            name => panic!("no test of {name:?}"),
        };
        result.expect("the settings are in range");
    }
}

/// A linear layer with these numbers, column by column.
fn linear(value: &Value) -> Linear<f64> {
    let (mut layer, numbers) = (Linear::zeros(3, 2), numbers(value));
    let mut rest = numbers.as_slice();
    layer.visit_mut(&Path::ROOT, &mut |_, _, values| {
        let (next, after) = rest.split_at(values.len());
        values.copy_from_slice(next);
        rest = after;
    });
    layer
}

#[test]
fn averaged_weights_agree_with_pytorch() {
    let reference = reference();
    for case in list(&reference["averages"]) {
        let start = Linear::zeros(3, 2);
        let mut equal = StochasticWeightAverage::new(&start);
        let mut exponential = case["decay"]
            .as_f64()
            .map(|decay| ExponentialMovingAverage::new(&start, decay).expect("the decay is in range"));
        for (model, expected) in list(&case["models"]).iter().zip(list(&case["averages"])) {
            let model = linear(model);
            equal.update(&model);
            let average = match &mut exponential {
                Some(exponential) => {
                    exponential.update(&model);
                    exponential.model()
                }
                None => equal.model(),
            };
            let mut ours = Vec::new();
            average.visit(&Path::ROOT, &mut |_, _, values| ours.extend_from_slice(values));
            assert_close(&format!("average with decay {}", case["decay"]), &ours, &numbers(expected));
        }
        assert_eq!(equal.updates(), 10);
    }
}

#[test]
fn schedules_agree_with_pytorch() {
    for case in list(&reference()["schedules"]) {
        let factor = |step: usize| match case["name"].as_str() {
            Some("CosineAnnealingWarmRestarts") => {
                let (period, multiplier) = (count(case, "T_0"), count(case, "T_mult"));
                schedule::cosine_with_warm_restarts(step, period, multiplier, setting(case, "eta_min", 0.0))
            }
            Some("OneCycleLR") => {
                let (steps, part) = (count(case, "total_steps"), setting(case, "pct_start", 0.3));
                let first = 1.0 / setting(case, "div_factor", 25.0);
                let last = first / setting(case, "final_div_factor", 1e4);
                schedule::one_cycle(step, steps, (part * steps as f64) as usize, first, last)
            }
            Some("PolynomialLR") => {
                schedule::polynomial(step, count(case, "total_iters"), setting(case, "power", 1.0), 0.0)
            }
            name => panic!("no test of {name:?}"),
        };
        let expected = numbers(&case["factors"]);
        let ours: Vec<f64> = (0..expected.len()).map(factor).collect();
        assert_close(&format!("{} {}", case["name"], case["settings"]), &ours, &expected);
    }
}
