//! Models that are built from descriptions.

use longhand::{nalgebra, prelude::*};
use longhand_gradcheck::{BuildLayer, Case, Checker, Law};
use longhand_model::{LayerDescription, LayerError, Layers, Model, ModelDescription, ModelError};
use proptest::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn described(text: &str) -> ModelDescription {
    toml::from_str(text).expect("a description")
}

fn failure(text: &str) -> ModelError {
    Model::<f32>::build(&described(text), &mut generator(1)).expect_err("the description is wrong")
}

fn bits<P: Tensors<f32>>(value: &P) -> Vec<u32> {
    let mut bits = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| bits.extend(values.iter().map(|x| x.to_bits())));
    bits
}

fn inputs(features: usize, steps: usize, batch: usize) -> Sequences<f32> {
    let lengths: Vec<usize> = (0..batch).map(|sequence| steps - sequence % 3).collect();
    let layout = Layout::new(steps, batch).with_lengths(&lengths).expect("lengths up to `steps`");
    Sequences::from_fn(features, steps, batch, |feature, step, sequence| {
        ((1 + feature) as f32 * 0.3 * step as f32 + sequence as f32).sin()
    })
    .with_layout(layout)
    .expect("the same steps and sequences")
}

/// Three updates from the same generator, then what a batch and a stream compute.
fn train<M>(mut model: M, x: &Sequences<f32>, labels: &Labels, shards: usize) -> Vec<u32>
where
    M: Streaming<f32, Step = [f32]> + Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> + Sync,
{
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let bptt = TruncatedBptt::new(4, LossAt::EveryStep).expect("a window");
    let mut trainer = Trainer::new(&model, loss, bptt).with_generator(generator(7)).in_parallel(&model, shards);
    let mut optimizer = Adam::new();
    let mut all = Vec::new();
    for _ in 0..3 {
        let batch = Batch { inputs: x, targets: labels };
        let (loss, gradients) = trainer.gradients(&model, batch).expect("the batch fits");
        all.push(loss.to_bits());
        all.extend(bits(gradients.values()));
        optimizer.step(&mut model, gradients, 0.01);
    }
    all.extend(bits(&model));
    let (mut carry, mut cache) = (model.carry(x.batch()), M::Cache::default());
    all.extend(bits(model.forward(x, &mut carry, &mut cache, &mut Pass::Infer)));
    all.extend(bits(&carry));
    let (mut stream, mut carry) = (Stream::new(&model), model.carry(1));
    for step in 0..x.steps() {
        all.extend(stream.step(x.at(step, 0), &mut carry).iter().map(|x| x.to_bits()));
    }
    all
}

#[test]
fn a_described_model_computes_the_bits_of_the_typed_one() {
    let description = described(
        r#"
        inputs = 3
        [[layers]]
        layer = "Lstm"
        units = 9
        [[layers]]
        layer = "Dropout"
        probability = 0.25
        [[layers]]
        layer = "Residual"
        inner = [{ layer = "Gru", units = 9 }, { layer = "Tanh" }]
        [[layers]]
        layer = "Frozen"
        inner = { layer = "Elman", units = 5, nonlinearity = "relu" }
        [[layers]]
        layer = "MinimalGatedUnit"
        units = 4
        [[layers]]
        layer = "IndRnn"
        units = 4
        [[layers]]
        layer = "MinGru"
        units = 4
        [[layers]]
        layer = "ProjectedLstm"
        units = 6
        outputs = 4
        [[layers]]
        layer = "CausalConvolution"
        outputs = 4
        kernel_size = 3
        dilation = 2
        [[layers]]
        layer = "Linear"
        outputs = 2
        "#,
    );
    let mut g = generator(3);
    let typed = || -> Result<_, Box<dyn std::error::Error>> {
        let (lstm, gru) = (Lstm::<f32>::new(3, 9, &mut g), Gru::new(9, 9, &mut g));
        let elman = Elman::new(9, 5, &mut g).with_nonlinearity(Nonlinearity::Relu);
        let (mgu, ind_rnn) = (MinimalGatedUnit::new(5, 4, &mut g), IndRnn::new(4, 4, &mut g));
        let (min_gru, projected) = (MinGru::new(4, 4, &mut g), ProjectedLstm::new(4, 6, 4, &mut g));
        let convolution = CausalConvolution::new(4, 4, 3, &mut g)?.with_dilation(2)?;
        let linear = Linear::new(4, 2, &mut g);
        let lower = lstm.then(Dropout::new(0.25)?)?.then(Residual::new(gru.then(Activation::Tanh)?)?)?;
        let upper = lower.then(Frozen::new(elman))?.then(mgu)?.then(ind_rnn)?.then(min_gru)?.then(projected)?;
        Ok(upper.then(convolution)?.then(linear)?)
    };
    let typed = { typed }().expect("the layers fit");
    let model = Model::<f32>::build(&description, &mut generator(3)).expect("the layers fit");
    assert_eq!(model.names(), typed.names());
    assert_eq!(model.name(), typed.name());
    assert_eq!(bits(&model), bits(&typed));
    let (x, labels) = (inputs(3, 11, 5), Labels::per_sequence(&[0, 1, 1, 0, 1]));
    for shards in [1, 2] {
        assert_eq!(train(model.clone(), &x, &labels, shards), train(typed.clone(), &x, &labels, shards));
    }
}

#[test]
fn both_directions_and_the_mean_over_time() {
    let text = r#"{"inputs": 2, "layers": [
        {"layer": "Bidirectional", "forward": {"layer": "Gru", "units": 3}, "backward": {"layer": "Gru", "units": 3}},
        {"layer": "MeanOverTime"}, {"layer": "Sigmoid"}]}"#;
    let description: ModelDescription = serde_json::from_str(text).expect("a description");
    let mut g = generator(5);
    let directions = Bidirectional::new(Gru::<f32>::new(2, 3, &mut g), Gru::new(2, 3, &mut g)).expect("equal inputs");
    let typed = directions.then(MeanOverTime).and_then(|model| model.then(Activation::Sigmoid)).expect("they fit");
    let model = Model::<f32>::build(&description, &mut generator(5)).expect("the layers fit");
    assert_eq!(model.names(), typed.names());
    let x = inputs(2, 7, 4);
    let (mut cache, mut typed_cache) = Default::default();
    let y = model.forward(&x, &mut model.carry(4), &mut cache, &mut Pass::Infer);
    assert_eq!(bits(y), bits(typed.forward(&x, &mut typed.carry(4), &mut typed_cache, &mut Pass::Infer)));
    let error = model.can_stream().expect_err("later steps are needed").to_string();
    assert!(error.contains("Bidirectional(Gru(2 -> 3), Gru(2 -> 3))"), "{error}");
}

#[test]
#[should_panic(expected = "`MeanOverTime` cannot run one step at a time")]
fn a_stream_of_a_layer_that_needs_whole_sequences_panics() {
    let description =
        ModelDescription::new(2).then(LayerDescription::new("Tanh")).then(LayerDescription::new("MeanOverTime"));
    let model = Model::<f32>::build(&description, &mut generator(1)).expect("the layers fit");
    Stream::with_features(&model, 2);
}

#[test]
fn token_ids_begin_with_an_embedding() {
    let text = r#"
        layers = [{ layer = "Frozen", inner = { layer = "Embedding", tokens = 10, features = 4 } },
                  { layer = "Gru", units = 6 }, { layer = "Linear", outputs = 10 }]
    "#;
    let model = Model::<f32, Tokens>::build(&described(text), &mut generator(2)).expect("the layers fit");
    let mut g = generator(2);
    let table = Frozen::new(Embedding::<f32>::new(10, 4, &mut g));
    let typed = table.then(Gru::new(4, 6, &mut g)).and_then(|model| model.then(Linear::new(6, 10, &mut g)));
    let typed = typed.expect("the layers fit");
    let tokens = Tokens::single(vec![3, 1, 4, 1, 5]);
    let (mut cache, mut typed_cache) = Default::default();
    let y = model.forward(&tokens, &mut model.carry(1), &mut cache, &mut Pass::Infer);
    assert_eq!(bits(y), bits(typed.forward(&tokens, &mut typed.carry(1), &mut typed_cache, &mut Pass::Infer)));
    let (mut stream, mut carry) = (Stream::new(&model), model.carry(1));
    assert_eq!(stream.step(&3, &mut carry).len(), 10);

    let message = failure(text).to_string();
    assert!(message.contains("layers[0] (`Frozen`) > inner (`Embedding`): the input is features"), "{message}");
    let error = Model::<f32, Tokens>::build(&described("layers = [{ layer = \"Tanh\" }]"), &mut generator(1));
    assert_eq!(error.expect_err("no table").error, LayerError::TakesFeatures);
}

#[test]
fn errors_name_the_place_and_what_is_right() {
    for (text, expected) in [
        (
            "inputs = 1
            layers = []",
            "the model: the list `layers` is empty; give at least one layer",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Tanh" }, { layer = "Lstmm", units = 3 }]"#,
            "layers[1] (`Lstmm`): there is no layer of this name; there are AttentionPooling, Bidirectional, ",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Lstm", unit = 3 }]"#,
            "layers[0] (`Lstm`): unknown field `unit`, expected `units`",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Lstm" }]"#,
            "layers[0] (`Lstm`): missing field `units`",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Lstm", units = -3 }]"#,
            "layers[0] (`Lstm`): invalid value: integer `-3`, expected usize",
        ),
        (
            r#"layers = [{ layer = "Lstm", units = 3 }]"#,
            "layers[0] (`Lstm`): the number of inputs is not known; give the model's `inputs`",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Elman", units = 3, nonlinearity = "gelu" }]"#,
            "unknown variant `gelu`, expected `tanh` or `relu`",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Dropout", probability = 1.5 }]"#,
            "layers[0] (`Dropout`): dropout probability is 1.5, but it must be",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Residual", inner = { layer = "Linear", outputs = 2 } }]"#,
            "layers[0] (`Residual`): Linear(1 -> 2) takes 1 features",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Residual" }]"#,
            "layers[0] (`Residual`): missing field `inner`",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Residual", inner = 3 }]"#,
            "layers[0] (`Residual`): `inner`: invalid type: integer `3`, expected struct LayerDescription",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Residual", inner = [{ layer = "Tanh" }, { layer = "Gruu", units = 1 }] }]"#,
            "layers[0] (`Residual`) > inner[1] (`Gruu`): there is no layer of this name",
        ),
        (
            r#"inputs = 1
            layers = [{ layer = "Tanh", slope = 1 }]"#,
            "layers[0] (`Tanh`): unknown field `slope`",
        ),
        (
            r#"inputs = 3
            layers = [{ layer = "Lstm", units = 4000000000 }]"#,
            "layers[0] (`Lstm`): with this layer the model would have more than 100000000 parameters",
        ),
        (
            r#"inputs = 3
            layers = [{ layer = "Embedding", tokens = 3, features = 2 }]"#,
            "layers[0] (`Embedding`): the input is features, but this layer takes token ids",
        ),
    ] {
        let message = failure(text).to_string();
        assert!(message.contains(expected), "{text}\nexpected {expected}\ngot {message}");
    }
    assert!(toml::from_str::<ModelDescription>("input = 3\nlayers = []").is_err(), "unknown field");
}

#[test]
fn settings_that_nobody_reads_are_errors() {
    for (text, expected) in [
        ("layer = 'Residual', inner = { layer = 'Tanh' }, typo = 1", "layers[0] (`Residual`): unknown field `typo`"),
        ("layer = 'Residual', iner = { layer = 'Tanh' }", "layers[0] (`Residual`): missing field `inner`"),
        ("layer = 'Tanh', inner = { layer = 'Tanh' }", "layers[0] (`Tanh`): unknown field `inner`"),
        ("layer = 'Residual', inner = []", "layers[0] (`Residual`): the list `inner` is empty"),
    ] {
        let message = failure(&format!("inputs = 1\nlayers = [{{ {text} }}]")).to_string();
        assert!(message.contains(expected), "{text}\nexpected {expected}\ngot {message}");
    }
}

#[test]
fn widths_are_checked_behind_layers_of_any_width() {
    let text = "inputs = 3\nlayers = [{ layer = 'Tanh' }, { layer = 'Wrong' }]";
    let layers = Layers::<f32>::library().with("Wrong", |_| Ok(BoxedLayer::new(Gru::zeros(7, 4))));
    let error =
        Model::<f32>::build_with(&described(text), &layers, &mut generator(1)).expect_err("7 is not 3").to_string();
    assert_eq!(error, "layers[1] (`Wrong`): the layer takes 7 inputs, but it gets 3; make the two numbers equal");
}

#[test]
fn directions_of_any_width_are_refused() {
    let text = "inputs = 3\nlayers = [{ layer = 'Bidirectional', forward = { layer = 'Gru', units = 4 }, backward = { layer = 'Tanh' } }]";
    let message = failure(text).to_string();
    assert!(message.contains("layers[0] (`Bidirectional`): Tanh takes any number of features"), "{message}");
}

#[test]
fn long_and_deep_descriptions_are_refused_before_the_stack_overflows() {
    let linear = || LayerDescription::new("Linear").with("outputs", 1);
    let build = |description: &ModelDescription| Model::<f32>::build(description, &mut generator(1));
    let chain = |layers: usize| (0..layers).fold(ModelDescription::new(1), |model, _| model.then(linear()));
    let longest = build(&chain(500)).expect("500 layers are allowed");
    assert_eq!(Stream::new(&longest).step(&[1.0], &mut longest.carry(1)).len(), 1);
    assert_eq!(build(&chain(501)).expect_err("501 layers").error, LayerError::TooManyLayers { limit: 500 });

    let nest = |inner: LayerDescription| LayerDescription::new("Frozen").with("inner", inner);
    let deep = |levels: usize| ModelDescription::new(1).then((0..levels).fold(linear(), |inner, _| nest(inner)));
    build(&deep(50)).expect("50 levels are allowed");
    assert_eq!(build(&deep(51)).expect_err("51 levels").error, LayerError::TooDeep { limit: 50 });
}

#[test]
fn the_limit_of_parameters_holds_for_the_model() {
    let layers = || Layers::<f32>::library().with_limit(20);
    let text = "inputs = 2\nlayers = [{ layer = 'Linear', outputs = 3 }, { layer = 'Linear', outputs = 2 }, { layer = 'Linear', outputs = 1 }]";
    // 9 and 8 parameters, and 3 more.
    let description = described(text);
    assert!(Model::<f32>::build_with(&description, &layers(), &mut generator(1)).is_ok());
    let error = Model::<f32>::build_with(&description, &layers().with_limit(19), &mut generator(1))
        .expect_err("20 is too many");
    assert_eq!(
        error.to_string(),
        "layers[2] (`Linear`): with this layer the model would have more than 19 parameters, the limit (`Layers::with_limit`, or the numbers in a model file)"
    );
}

/// `y = scale * x`, from outside of the library.
fn layers<T: Scalar>() -> Layers<T> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        scale: f64,
    }
    Layers::library().with("Diagonal", |layer| {
        let Settings { scale } = layer.settings()?;
        let inputs = layer.inputs()?;
        let mut linear = Linear::zeros(inputs, inputs);
        linear.weight.fill_diagonal(nalgebra::convert(scale));
        Ok(BoxedLayer::new(linear))
    })
}

#[test]
fn registered_layers_are_found_inside_of_the_library_s_wrappers() {
    let text = r#"inputs = 2
        layers = [{ layer = "Residual", inner = { layer = "Diagonal", scale = 0.5 } }]"#;
    let model = Model::<f32>::build_with(&described(text), &layers(), &mut generator(1)).expect("the layers fit");
    let x = Sequences::from_fn(2, 1, 1, |feature, _, _| feature as f32 + 1.0);
    let mut cache = BoxedChainCache::default();
    let y = model.forward(&x, &mut model.carry(1), &mut cache, &mut Pass::Infer);
    assert_eq!(y.at(0, 0), [1.5, 3.0]);
    assert!(failure(text).to_string().contains("`Residual`) > inner (`Diagonal`): there is no layer of this name"));
}

/// A description whose sizes are those of the case.
struct Described(fn(&Case) -> ModelDescription);

impl BuildLayer for Described {
    type Layer<T: Scalar> = Model<T>;

    fn build<T: Scalar>(&self, case: &Case) -> Model<T> {
        Model::build_with(&self.0(case), &layers(), &mut generator(case.seed)).expect("the layers fit")
    }
}

#[test]
fn a_described_model_is_proven() {
    Checker::new().prove_built(Described(|case| {
        let inner = LayerDescription::new("Elman").with("units", case.inputs);
        ModelDescription::new(case.inputs)
            .then(LayerDescription::new("Residual").with("inner", vec![inner, LayerDescription::new("Tanh")]))
            .then(LayerDescription::new("Dropout").with("probability", 0.3))
            .then(LayerDescription::new("Gru").with("units", case.hidden))
    }));
}

#[test]
fn a_described_model_that_reads_later_steps_is_proven() {
    Checker::new().without(Law::Windows).prove_built(Described(|case| {
        let inner = |name| LayerDescription::new(name).with("units", case.hidden);
        ModelDescription::new(case.inputs)
            .then(LayerDescription::new("Bidirectional").with("forward", inner("Gru")).with("backward", inner("Lstm")))
            .then(LayerDescription::new("Diagonal").with("scale", 0.5))
            .then(LayerDescription::new("Linear").with("outputs", 2))
    }));
}

/// A list of layers that keep the number of features at `units`, with layers inside of them.
fn any_layers(units: usize) -> impl Strategy<Value = Vec<LayerDescription>> {
    let sized = move |name: &str| LayerDescription::new(name).with("units", units);
    let leaf = prop_oneof![
        Just(sized("Elman")),
        Just(sized("Lstm")),
        Just(sized("ProjectedLstm").with("outputs", units)),
        Just(sized("Gru")),
        Just(sized("MinGru")),
        Just(sized("IndRnn").with("nonlinearity", "tanh")),
        Just(LayerDescription::new("Linear").with("outputs", units)),
        Just(LayerDescription::new("CausalConvolution").with("outputs", units).with("kernel_size", 2)),
        Just(LayerDescription::new("Relu")),
        (0.0..0.9).prop_map(|p| LayerDescription::new("Dropout").with("probability", p)),
    ];
    let layer = leaf.prop_recursive(3, 8, 3, |inner| {
        let list = prop::collection::vec(inner, 1..3);
        (list, prop::sample::select(vec!["Residual", "Frozen"]))
            .prop_map(|(inner, name)| LayerDescription::new(name).with("inner", inner))
    });
    prop::collection::vec(layer, 1..4)
}

proptest! {
    #[test]
    fn descriptions_survive_toml_and_json(layers in any_layers(4)) {
        let description = layers.into_iter().fold(ModelDescription::new(4), ModelDescription::then);
        let text = toml::to_string(&description).expect("a description");
        prop_assert_eq!(&toml::from_str::<ModelDescription>(&text).expect("it was written just now"), &description);
        let text = serde_json::to_string(&description).expect("a description");
        prop_assert_eq!(&serde_json::from_str::<ModelDescription>(&text).expect("it was written just now"), &description);
        let [a, b] = [(); 2].map(|()| Model::<f32>::build(&description, &mut generator(9)).expect("the layers fit"));
        prop_assert_eq!(bits(&a), bits(&b));
        let x = inputs(4, 5, 3);
        let mut cache = BoxedChainCache::default();
        let y = bits(a.forward(&x, &mut a.carry(3), &mut cache, &mut Pass::Infer));
        prop_assert_eq!(y.len(), 4 * 15);
    }
}
