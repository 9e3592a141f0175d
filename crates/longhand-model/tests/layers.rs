//! Descriptions and files of the layers around and between recurrent layers.

use longhand::prelude::*;
use longhand_model::{Describe, LayerDescription, Model, ModelDescription, ModelFile, TensorNames};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

fn generator() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// The description of a typed layer builds the same layer, with the same random parameters and the same full description.
#[track_caller]
fn check<L>(layer: &L, inputs: usize)
where
    L: Describe<f32> + Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    let description = ModelDescription { inputs: Some(inputs), layers: layer.describe().expect("a description") };
    let text = toml::to_string(&description).expect("every setting has a form in TOML");
    let description: ModelDescription = toml::from_str(&text).expect("a description");
    let model = Model::<f32>::build(&description, &mut generator()).expect("the layers fit");
    assert_eq!((model.name(), model.names()), (layer.name(), layer.names()));
    assert_eq!(model.describe().expect("a description"), description.layers);
    let x = Sequences::from_fn(inputs, 5, 2, |feature, step, b| ((feature + 2 * step + 3 * b) as f32).sin());
    let mut copy = layer.clone();
    let mut parameters = Vec::new();
    model.visit(&Path::ROOT, &mut |_, _, values| parameters.extend_from_slice(values));
    let mut parameters = parameters.into_iter();
    copy.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill_with(|| parameters.next().expect("equal numbers")));
    let (mut cache, mut model_cache) = (L::Cache::default(), BoxedChainCache::default());
    let y = copy.forward(&x, &mut layer.carry(2), &mut cache, &mut Pass::Infer);
    assert_eq!(y, model.forward(&x, &mut model.carry(2), &mut model_cache, &mut Pass::Infer));
}

#[test]
fn descriptions_of_typed_layers_build_these_layers() -> Result<(), Box<dyn Error>> {
    let g = &mut generator();
    let activations = [
        Activation::leaky_relu(0.25)?,
        Activation::Gelu,
        Activation::Silu,
        Activation::Softplus,
        Activation::elu(0.5)?,
        Activation::HardSigmoid,
        Activation::HardTanh,
        Activation::HardSwish,
    ];
    for activation in activations {
        check(&activation, 3);
    }
    check(&LayerNorm::new(3).with_epsilon(1e-3)?, 3);
    check(&RmsNorm::new(3), 3);
    check(&MaxOverTime, 3);
    check(&AttentionPooling::new(3, 4, g), 3);
    check(&CausalSelfAttention::new(3, 4, 2, 5, g)?, 3);
    check(&VariationalDropout::new(0.25)?, 3);
    check(&Highway::new(3, Gru::new(3, 3, g), g)?, 3);
    check(&Stack::new::<f32>(3, 2, |inputs| Gru::new(inputs, 4, g))?.with_dropout(0.25)?, 3);
    check(&Stack::bidirectional::<f32>(3, 2, |inputs| Lstm::new(inputs, 4, g))?, 3);
    check(&Stack::new::<f32>(3, 1, |inputs| BoxedLayer::new(Gru::new(inputs, 4, g)))?, 3);
    Ok(())
}

#[test]
fn settings_have_the_defaults_of_pytorch() -> Result<(), Box<dyn Error>> {
    let text = r#"
        inputs = 3
        layers = [{ layer = "LeakyRelu" }, { layer = "Elu" }, { layer = "LayerNorm" }, { layer = "RmsNorm" }]
    "#;
    let model = Model::<f32>::build(&toml::from_str(text)?, &mut generator())?;
    let epsilon = f64::from(f32::EPSILON);
    let expected = [
        LayerDescription::new("LeakyRelu").with("slope", 0.01),
        LayerDescription::new("Elu").with("alpha", 1.0),
        LayerDescription::new("LayerNorm").with("epsilon", 1e-5),
        LayerDescription::new("RmsNorm").with("epsilon", epsilon),
    ];
    assert_eq!(model.description().layers, expected);
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_layer() {
    let error = |text: &str| -> String {
        let description = toml::from_str(text).expect("a description");
        Model::<f32>::build(&description, &mut generator()).map(|_| ()).expect_err("a wrong setting").to_string()
    };
    let text = error(
        r#"inputs = 3
        layers = [{ layer = "Elu", alpha = -1.0 }]"#,
    );
    assert!(text.contains("layers[0] (`Elu`)") && text.contains("alpha is -1"), "{text}");
    let text = error(
        r#"inputs = 3
        layers = [{ layer = "Stack", layers = [{ layer = "Gru", units = 4 }, { layer = "Gru" }] }]"#,
    );
    assert!(text.contains("layers[0] (`Stack`) > layers[1] (`Gru`)") && text.contains("units"), "{text}");
    let text = error(
        r#"inputs = 3
        layers = [{ layer = "Highway", inner = { layer = "Gru", units = 4 } }]"#,
    );
    assert!(text.contains("Gru(3 -> 4) takes 3 features and gives 4"), "{text}");
}

#[test]
fn the_padding_token_is_part_of_the_description() -> Result<(), Box<dyn Error>> {
    let table = Embedding::<f32>::new(7, 3, &mut generator()).with_padding(2)?;
    let model =
        Model::<f32, Tokens>::build(&ModelDescription { inputs: None, layers: table.describe()? }, &mut generator())?;
    assert_eq!(model.description().layers, table.describe()?);
    let without = Embedding::<f32>::new(7, 3, &mut generator());
    assert_ne!(without.describe()?, table.describe()?);
    let mut names = Vec::new();
    model.visit(&Path::ROOT, &mut |path, _, values| {
        names.push(path.to_string());
        assert!(values[6..9].iter().all(|&x| x == 0.0) && values[0] != 0.0);
    });
    assert_eq!(names.len(), 1);
    Ok(())
}

/// The names in the file are those of `nn.LSTM(num_layers=2, bidirectional=True)`, the field `rnn` of a module.
#[test]
fn a_stacked_state_dict_of_pytorch_is_loaded_into_a_stack() -> Result<(), Box<dyn Error>> {
    let g = &mut generator();
    let both = |inputs, g: &mut ChaCha8Rng| Bidirectional::new::<f32>(Lstm::new(inputs, 4, g), Lstm::new(inputs, 4, g));
    let chain = both(3, g)?.then(both(8, g)?)?.then(LastStep)?.then(Linear::new(8, 2, g))?;
    let names = TensorNames::new().with_stack("rnn", ["0", "1"]).with_module("head", "3");
    let file = ModelFile::of_tensors(&chain, &names)?;
    let mut in_file: Vec<&str> = file.tensors().map(|(name, _)| name).collect();
    in_file.sort_unstable();
    assert_eq!(in_file.len(), 18);
    assert!(in_file.contains(&"rnn.weight_hh_l1_reverse") && in_file.contains(&"rnn.bias_ih_l0"), "{in_file:?}");

    let stack = Stack::bidirectional::<f32>(3, 2, |inputs| Lstm::zeros(inputs, 4))?.with_dropout(0.3)?;
    let mut model = stack.then(LastStep)?.then(Linear::zeros(8, 2))?;
    file.load_tensors(&mut model, &TensorNames::new().with_module("rnn", "0").with_module("head", "2"))?;
    let x = Sequences::from_fn(3, 6, 2, |feature, step, b| ((feature + 2 * step + 3 * b) as f32).sin());
    let (mut cache, mut chain_cache) = Default::default();
    let y = model.forward(&x, &mut model.carry(2), &mut cache, &mut Pass::Infer);
    assert_eq!(y, chain.forward(&x, &mut chain.carry(2), &mut chain_cache, &mut Pass::Infer));
    Ok(())
}

/// A file of a typed model is opened without its types.
#[test]
fn files_of_stacks_are_built_from_their_descriptions() -> Result<(), Box<dyn Error>> {
    let g = &mut generator();
    let stack = Stack::bidirectional::<f32>(3, 2, |inputs| Gru::new(inputs, 4, g))?.with_dropout(0.3)?;
    let model = stack.then(LayerNorm::new(8))?.then(AttentionPooling::new(8, 5, g))?;
    let bytes = ModelFile::of(&model)?.to_bytes()?;
    let built: Model<f32> = ModelFile::from_bytes(&bytes)?.build()?;
    assert_eq!((built.name(), built.names()), (model.name(), model.names()));
    let x = Sequences::from_fn(3, 6, 2, |feature, step, b| ((feature + 2 * step + 3 * b) as f32).sin());
    let (mut cache, mut built_cache) = Default::default();
    let y = model.forward(&x, &mut model.carry(2), &mut cache, &mut Pass::Infer);
    assert_eq!(y, built.forward(&x, &mut built.carry(2), &mut built_cache, &mut Pass::Infer));
    Ok(())
}
