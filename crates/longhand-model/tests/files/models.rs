//! Whole models: what is saved is opened, without its types.

use crate::{bits, bytes, elman, generator};
use longhand::prelude::*;
use longhand_model::{Describe, FileError, Model, ModelDescription, ModelFile};

/// Every layer of the library, typed, on features.
fn every_layer() -> impl Describe<f32> + Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let mut g = generator(1);
    let both = Bidirectional::new::<f32>(Gru::new(3, 2, &mut g), Gru::new(3, 2, &mut g)).unwrap();
    let chains = Bidirectional::new::<f32>(
        Lstm::new(4, 2, &mut g).then(Activation::Tanh).unwrap(),
        Lstm::new(4, 2, &mut g).then(Activation::Tanh).unwrap(),
    );
    let elman = Elman::new(4, 4, &mut g).with_nonlinearity(Nonlinearity::Relu);
    let ind_rnn = IndRnn::new(4, 4, &mut g).with_nonlinearity(Nonlinearity::Tanh);
    let frozen = Frozen::new(ind_rnn.then(Activation::Sigmoid).unwrap());
    let residual = Residual::new::<f32>(elman.then(Dropout::new(0.25).unwrap()).unwrap()).unwrap();
    let model = both.then(chains.unwrap()).unwrap().then(residual).unwrap().then(frozen).unwrap();
    let model = model.then(MinimalGatedUnit::new(4, 5, &mut g)).unwrap().then(Activation::Relu).unwrap();
    let model = model.then(MinGru::new(5, 5, &mut g)).unwrap().then(ProjectedLstm::new(5, 6, 5, &mut g)).unwrap();
    model.then(MeanOverTime).unwrap().then(LastStep).unwrap().then(Linear::new(5, 2, &mut g)).unwrap()
}

#[test]
fn a_model_of_every_layer_is_opened_without_its_types() {
    let model = every_layer();
    let file = ModelFile::from_bytes(&bytes(&model)).unwrap();
    let opened = file.build::<f32>().unwrap();
    assert_eq!(opened.name(), model.name());
    assert_eq!(opened.names(), model.names());
    assert_eq!(bits(&opened), bits(&model));
    let x =
        Sequences::from_fn(3, 7, 2, |feature, step, sequence| ((feature + step) as f32 * 0.7 + sequence as f32).sin());
    let (mut cache, mut typed_cache) = Default::default();
    let typed = model.forward(&x, &mut model.carry(2), &mut typed_cache, &mut Pass::Infer);
    assert_eq!(bits(opened.forward(&x, &mut opened.carry(2), &mut cache, &mut Pass::Infer)), bits(typed));
    // And saved once more, with the same bytes.
    assert_eq!(bytes(&opened), bytes(&model));
}

#[test]
fn boxed_layers_of_the_library_are_described() {
    let boxed = BoxedLayer::new(Gru::<f32>::new(2, 3, &mut generator(1)));
    let boxed =
        boxed.then_boxed(BoxedLayer::new(Residual::new::<f32>(BoxedLayer::new(Activation::Relu)).unwrap())).unwrap();
    assert_eq!(bits(&ModelFile::from_bytes(&bytes(&boxed)).unwrap().build().unwrap()), bits(&boxed));
}

#[test]
fn a_model_on_tokens_has_the_table_of_pytorch() {
    let mut g = generator(1);
    let model = Embedding::<f32>::new(5, 2, &mut g).then(Lstm::new(2, 3, &mut g)).unwrap();
    let file = ModelFile::from_bytes(&bytes(&model)).unwrap();
    assert!(file.tensors().any(|tensor| tensor == ("0.weight", &[5, 2])));
    assert_eq!(bits(&file.build_on_tokens().unwrap()), bits(&model));
    assert!(matches!(file.build::<f32>(), Err(FileError::Model { .. })));
}

#[test]
fn a_relu_network_is_not_loaded_into_one_with_tanh() {
    let file = ModelFile::from_bytes(&bytes(&elman(Nonlinearity::Relu, 1))).unwrap();
    let mut model = elman(Nonlinearity::Tanh, 2);
    let before = bits(&model);
    let error = file.load(&mut model).unwrap_err().to_string();
    assert!(
        error.contains(r#"layers[0] is { layer = "Elman", nonlinearity = "relu", units = 4 } in the file"#),
        "{error}"
    );
    assert_eq!(bits(&model), before);
    let mut model = elman(Nonlinearity::Relu, 2);
    file.load(&mut model).unwrap();
    assert_eq!(bits(&model), bits(&elman(Nonlinearity::Relu, 1)));
}

#[test]
fn defaults_of_a_description_are_written_out() {
    let description: ModelDescription =
        toml::from_str(r#"inputs = 2
            layers = [{ layer = "Elman", units = 2 }, { layer = "Residual", inner = { layer = "IndRnn", units = 2 } }]"#)
        .unwrap();
    let model = Model::<f32>::build(&description, &mut generator(1)).unwrap();
    let text = toml::to_string(ModelFile::of(&model).unwrap().description().unwrap()).unwrap();
    assert!(text.contains(r#"nonlinearity = "tanh""#) && text.contains(r#"nonlinearity = "relu""#), "{text}");
}

#[track_caller]
fn check_that_the_file_builds<M: Describe<f32> + Layer<f32>>(model: &M) {
    let file = ModelFile::from_bytes(&bytes(model)).unwrap();
    let built = file.build::<f32>().unwrap();
    assert_eq!((built.names(), bits(&built)), (model.names(), bits(model)));
    let mut loaded = model.zeros();
    file.load(&mut loaded).unwrap();
    assert_eq!(bits(&loaded), bits(model));
    assert_eq!(bytes(&built), bytes(model));
}

/// A chain that stands second in another one has one place, in the names of its tensors and in the description.
#[test]
fn chains_inside_of_chains_come_back() {
    let g = &mut generator(1);
    let tail = Lstm::<f32>::new(4, 5, g).then(LastStep).unwrap().then(Linear::new(5, 2, g)).unwrap();
    let right = Gru::new(3, 4, g).then(tail).unwrap();
    let described: ModelDescription =
        toml::from_str("inputs = 2\nlayers = [{ layer = \"Gru\", units = 2 }, { layer = \"Tanh\" }]").unwrap();
    let with_model = Linear::new(3, 2, g).then(Model::<f32>::build(&described, g).unwrap()).unwrap();
    let first = Model::<f32>::build(&described, g).unwrap().then(Linear::new(2, 3, g)).unwrap();
    let inner = Activation::Tanh.then(Gru::<f32>::new(3, 3, g).then(Activation::Relu).unwrap()).unwrap();
    let residual = Elman::new(2, 3, g).then(Residual::new(inner).unwrap()).unwrap();
    check_that_the_file_builds(&right);
    check_that_the_file_builds(&with_model);
    check_that_the_file_builds(&first);
    check_that_the_file_builds(&residual);
    let convolution = |kernel_size, dilation| {
        CausalConvolution::<f32>::new(2, 2, kernel_size, &mut generator(2))
            .and_then(|layer| layer.with_dilation(dilation))
    };
    let stack = convolution(3, 1).unwrap().then(convolution(2, 500).unwrap()).unwrap();
    check_that_the_file_builds(&stack);
    check_that_the_file_builds(&convolution(3, 4).unwrap().with_stride(2).unwrap());
    // A small file cannot ask for a large carry.
    let greedy = bytes(&convolution(2, 100_000).unwrap());
    let error = ModelFile::from_bytes(&greedy).unwrap().build::<f32>().unwrap_err().to_string();
    assert!(error.contains("the carry of a sequence would have 200000 numbers; at most 65536"), "{error}");
    let attention = |window| CausalSelfAttention::<f32>::new(2, 3, 4, window, &mut generator(2)).unwrap();
    check_that_the_file_builds(&attention(1).then(LastStep).unwrap());
    check_that_the_file_builds(&attention(5));
    let greedy = bytes(&attention(100_001));
    let error = ModelFile::from_bytes(&greedy).unwrap().build::<f32>().unwrap_err().to_string();
    assert!(error.contains("the carry of a sequence would have 800000 numbers; at most 65536"), "{error}");
    let tokens = Embedding::<f32>::new(7, 3, g).then(right).unwrap();
    let built = ModelFile::from_bytes(&bytes(&tokens)).unwrap().build_on_tokens::<f32>().unwrap();
    assert_eq!((built.names(), bits(&built)), (tokens.names(), bits(&tokens)));
}

#[test]
fn models_without_elements_come_back() {
    let empty = Linear::<f32>::zeros(0, 0);
    let file = ModelFile::from_bytes(&bytes(&empty)).unwrap();
    file.load(&mut Linear::<f32>::zeros(0, 0)).unwrap();
    assert!(file.load(&mut Linear::<f32>::zeros(0, 1)).is_err());
    let wide = Gru::<f32>::zeros(3, 0);
    ModelFile::from_bytes(&bytes(&wide)).unwrap().load(&mut Gru::<f32>::zeros(3, 0)).unwrap();
    let none = BoxedLayer::<f32>::new(LastStep).then_boxed(BoxedLayer::new(Activation::Tanh)).unwrap();
    let opened: Model<f32> = ModelFile::from_bytes(&bytes(&none)).unwrap().build().unwrap();
    assert_eq!(opened.count(), 0);
}

/// Of a dual number, a file has the value: the derivative is no part of a model.
#[test]
fn models_of_other_scalars_are_stored_as_doubles() {
    use longhand_gradcheck::Dual;
    let mut model = Linear::<Dual>::zeros(1, 1);
    model.weight[(0, 0)] = Dual::new(0.1, 3.0);
    let file = ModelFile::from_bytes(&ModelFile::of(&model).unwrap().to_bytes().unwrap()).unwrap();
    assert_eq!(file.build::<f64>().unwrap().names(), ["weight", "bias"]);
    let mut doubles = Linear::<f64>::zeros(1, 1);
    file.load(&mut doubles).unwrap();
    assert_eq!(doubles.weight[(0, 0)].to_bits(), 0.1_f64.to_bits());
    let mut loaded = Linear::<Dual>::zeros(1, 1);
    file.load(&mut loaded).unwrap();
    assert_eq!((loaded.weight[(0, 0)].re, loaded.weight[(0, 0)].eps), (0.1, 0.0));
    // A derivative that is not finite does not matter either.
    model.weight[(0, 0)] = Dual::new(0.1, f64::NAN);
    ModelFile::of(&model).unwrap().load(&mut doubles).unwrap();
}
