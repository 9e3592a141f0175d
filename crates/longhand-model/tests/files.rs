//! Model files: what is saved is loaded, and what does not fit is an error that says so.

use half::f16;
use longhand::{nalgebra, prelude::*};
use longhand_model::{
    Describe, FileError, LayerDescription, Layers, Model, ModelDescription, ModelFile, NotDescribed, Precision,
    TensorNames, load, save,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn bits<P: Tensors<f32>>(value: &P) -> Vec<u32> {
    let mut bits = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| bits.extend(values.iter().map(|x| x.to_bits())));
    bits
}

type Relu = Chain<Chain<Elman<f32>, LastStep>, Linear<f32>>;

fn elman(nonlinearity: Nonlinearity, seed: u64) -> Relu {
    let mut generator = generator(seed);
    let recurrent = Elman::new(3, 4, &mut generator).with_nonlinearity(nonlinearity);
    recurrent.then(LastStep).unwrap().then(Linear::new(4, 2, &mut generator)).unwrap()
}

fn bytes<M: Describe<f32> + Layer<f32>>(model: &M) -> Vec<u8> {
    ModelFile::of(model).unwrap().to_bytes().unwrap()
}

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
fn a_file_has_the_names_and_the_order_of_pytorch() {
    let mut layer = Linear::<f32>::zeros(3, 2);
    layer.weight = nalgebra::DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let bytes = bytes(&layer);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = file.tensor("weight").unwrap();
    assert_eq!((weight.shape(), weight.dtype()), ([2, 3].as_slice(), Dtype::F32));
    let rows: Vec<f32> = weight.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(rows, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(file.tensor("bias").unwrap().shape(), [2]);
    // A matrix of one column stays a matrix.
    let file = ModelFile::of(&Linear::<f32>::zeros(1, 2)).unwrap();
    assert!(file.tensors().any(|tensor| tensor == ("weight", &[2, 1])));
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

#[test]
fn all_tensors_that_do_not_fit_are_listed_at_once() {
    let mut other = Lstm::<f32>::zeros(3, 4);
    other.weight_hh_l0[(1, 2)] = f32::NAN;
    other.weight_hh_l0[(0, 2)] = f32::INFINITY;
    let other = ModelFile::of_tensors(&other, &TensorNames::new().with_tensor("surplus", "bias_hh_l0")).unwrap();
    let mut model = Lstm::<f32>::zeros(2, 4);
    let FileError::Tensors { problems, .. } = other.load_tensors(&mut model, &TensorNames::new()).unwrap_err() else {
        panic!("the tensors do not fit")
    };
    assert_eq!(problems.missing, [("bias_hh_l0".to_owned(), vec![16])]);
    assert_eq!(problems.unexpected, [("surplus".to_owned(), vec![16])]);
    assert_eq!(problems.misshapen, [("weight_ih_l0".to_owned(), vec![16, 2], vec![16, 3])]);
    assert_eq!(problems.not_finite, [("weight_hh_l0".to_owned(), 2)]);
    let text = problems.to_string();
    assert!(
        text.contains(
            "missing tensors (for a module with `bias=False`, use `TensorNames::without_biases`): `bias_hh_l0` [16]"
        ),
        "{text}"
    );
    assert!(text.contains("`weight_ih_l0` (expected [16, 2], got [16, 3])"), "{text}");
}

#[test]
fn weights_that_are_not_finite_are_loaded_on_request() {
    let mut layer = Linear::<f32>::zeros(1, 1);
    layer.weight[(0, 0)] = f32::NAN;
    let file = ModelFile::from_bytes(&bytes(&layer)).unwrap();
    let mut loaded = Linear::<f32>::zeros(1, 1);
    assert!(file.load(&mut loaded).is_err());
    file.allowing_not_finite().load(&mut loaded).unwrap();
    assert!(loaded.weight[(0, 0)].is_nan());
}

#[test]
fn precisions_are_converted_on_request() {
    let model = elman(Nonlinearity::Tanh, 1);
    for (precision, size) in [(Precision::Half, 2), (Precision::BFloat16, 2), (Precision::Double, 8)] {
        let file = ModelFile::of(&model).unwrap().with_precision(precision);
        let file = ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
        let mut loaded = elman(Nonlinearity::Tanh, 2);
        let error = file.load(&mut loaded).unwrap_err().to_string();
        assert!(error.contains(&format!("(expected f32, got {precision})")), "{error}");
        file.converting().load(&mut loaded).unwrap();
        let is_exact = bits(&loaded) == bits(&model);
        assert_eq!(is_exact, size == 8, "{precision}");
        let half = |x: f32| if precision == Precision::Half { f16::from_f32(x).to_f32() } else { x };
        if precision != Precision::BFloat16 {
            assert_eq!(loaded.second().weight, model.second().weight.map(half));
        }
    }
}

#[test]
fn doubles_beyond_single_precision_are_reported() {
    let mut layer = Linear::<f64>::zeros(1, 1);
    layer.weight[(0, 0)] = 1e300;
    let file = ModelFile::of_tensors(&layer, &TensorNames::new()).unwrap().converting();
    let error = file.load(&mut Linear::<f32>::zeros(1, 1)).unwrap_err().to_string();
    assert!(error.contains("NaN or infinite: `weight` (1 elements)"), "{error}");
}

/// PyTorch's `Conv1d` stores `outputs x inputs x kernel size`.
#[test]
fn the_weight_of_a_convolution_has_three_dimensions() {
    let (outputs, inputs, kernel_size) = (2, 3, 4);
    let values: Vec<u8> = (0..24).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let weight = TensorView::new(Dtype::F32, vec![outputs, inputs, kernel_size], &values).unwrap();
    let bias = TensorView::new(Dtype::F32, vec![outputs], &values[..8]).unwrap();
    let bytes = safetensors::serialize([("weight", weight), ("bias", bias)], None).unwrap();
    let file = ModelFile::from_bytes(&bytes).unwrap();
    let mut layer = CausalConvolution::<f32>::zeros(inputs, outputs, kernel_size).unwrap();
    file.load_tensors(&mut layer, &TensorNames::new()).unwrap();
    for o in 0..outputs {
        for i in 0..inputs {
            for p in 0..kernel_size {
                let expected = ((o * inputs + i) * kernel_size + p) as f32;
                assert_eq!(layer.weight[(o, p * inputs + i)].to_bits(), expected.to_bits());
            }
        }
    }
    let written = ModelFile::of_tensors(&layer, &TensorNames::new()).unwrap();
    let dimensions: Vec<_> = written.tensors().collect();
    assert_eq!(dimensions, [("bias", [2].as_slice()), ("weight", [2, 3, 4].as_slice())]);
    let mut again = CausalConvolution::zeros(inputs, outputs, kernel_size).unwrap();
    ModelFile::from_bytes(&written.to_bytes().unwrap()).unwrap().load_tensors(&mut again, &TensorNames::new()).unwrap();
    assert_eq!(again, layer);
    let mut other = CausalConvolution::<f32>::zeros(inputs, outputs, 3).unwrap();
    let error = file.load_tensors(&mut other, &TensorNames::new()).unwrap_err().to_string();
    assert!(error.contains("`weight` (expected [2, 3, 3], got [2, 3, 4])"), "{error}");
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
fn metadata_and_files_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = elman(Nonlinearity::Tanh, 1);
    ModelFile::of(&model).unwrap().with("mean", [0.1_f64, 1e-300]).unwrap().save(&path).unwrap();
    let file = ModelFile::open(&path).unwrap();
    assert_eq!(file.get::<Vec<f64>>("mean").unwrap(), [0.1, 1e-300]);
    let error = file.get::<Vec<f64>>("deviation").unwrap_err().to_string();
    assert!(error.ends_with("metadata `deviation`: the file has no such value"), "{error}");
    let error = file.get::<String>("mean").unwrap_err().to_string();
    assert!(error.contains("invalid type: sequence, expected a string"), "{error}");
    assert_eq!(bits(&Model::<f32>::open(&path).unwrap()), bits(&model));
    let mut loaded = elman(Nonlinearity::Tanh, 2);
    load(&mut loaded, &path).unwrap();
    save(&loaded, &path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes(&model));
}

#[test]
fn metadata_that_json_cannot_hold_is_refused() {
    let file = || ModelFile::of(&Linear::<f32>::zeros(1, 1)).unwrap();
    for number in [f64::NAN, f64::INFINITY] {
        let error = file().with("deviation", vec![Some(1.0), Some(number)]).unwrap_err().to_string();
        assert!(error.contains("metadata `deviation`: a number is NaN or infinite"), "{error}");
    }
    assert_eq!(file().with("deviation", None::<f32>).unwrap().get::<Option<f32>>("deviation").unwrap(), None);
}

/// A name with a line break and a terminal's command to clear the screen.
#[test]
fn names_in_files_cannot_change_the_terminal() {
    let name = "weight\n\u{1b}[2J";
    let zero = 0_f32.to_le_bytes();
    let tensor = TensorView::new(safetensors::Dtype::F32, vec![1], &zero).unwrap();
    let bytes = safetensors::serialize([(name, tensor)], None).unwrap();
    let file = ModelFile::from_bytes(&bytes).unwrap();
    let tensors = file.load_tensors(&mut Linear::<f32>::zeros(1, 1), &TensorNames::new()).unwrap_err();
    let of =
        |layer| Model::<f32>::build(&ModelDescription::new(1).then(layer), &mut generator(1)).unwrap_err().to_string();
    let layer = of(LayerDescription::new(name));
    let setting = of(LayerDescription::new("LastStep").with(name, 1));
    for error in [tensors.to_string(), layer, setting] {
        assert!(!error.contains('\u{1b}') && error.contains("\\n\\u{1b}[2J"), "{error}");
    }
}

#[test]
fn pickles_newer_files_and_other_files_are_refused() {
    for pickle in [b"PK\x03\x04more".as_slice(), b"\x80\x02}q", b"\x80\x04\x95\n\0\0\0\0\0\0\0}"] {
        let error = ModelFile::from_bytes(pickle).unwrap_err().to_string();
        assert!(error.contains("weights_only=True"), "{error}");
    }
    let header = HashMap::from([("longhand".to_owned(), r#"{"format": 99, "shape": "new"}"#.to_owned())]);
    let newer = safetensors::serialize(HashMap::<String, TensorView<'_>>::new(), Some(header)).unwrap();
    assert!(matches!(ModelFile::from_bytes(&newer), Err(FileError::TooNew { found: 99, .. })));
    for damaged in [b"".as_slice(), b"12345678", &bytes(&Linear::<f32>::zeros(1, 1))[..100]] {
        assert!(matches!(ModelFile::from_bytes(damaged), Err(FileError::Format { .. })));
    }
    let of_pytorch = safetensors::serialize(HashMap::<String, TensorView<'_>>::new(), None).unwrap();
    let file = ModelFile::from_bytes(&of_pytorch).unwrap();
    assert!(matches!(file.build::<f32>(), Err(FileError::NoDescription { .. })));
}

/// The first bytes are the length of the header; `80 02`, the start of a pickle, is a length of 640.
#[test]
fn a_header_of_any_length_is_no_pickle() {
    let model = Linear::<f32>::zeros(2, 1);
    let mut lengths = Vec::new();
    for length in 1..800 {
        let bytes = ModelFile::of(&model).unwrap().with("note", "x".repeat(length)).unwrap().to_bytes().unwrap();
        lengths.push(bytes[..2].to_vec());
        ModelFile::from_bytes(&bytes).unwrap();
    }
    assert!(lengths.contains(&vec![0x80, 2]));
}

#[test]
fn a_change_of_any_byte_is_noticed() {
    let model = Linear::<f32>::new(2, 1, &mut generator(1));
    let bytes = ModelFile::of(&model).unwrap().with("note", r#"{\"checksum\":\"12345678"#).unwrap().to_bytes().unwrap();
    assert!(ModelFile::from_bytes(&bytes).is_ok());
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            // Without the name of the metadata, the file is one of other software.
            let is_of_longhand = ModelFile::from_bytes(&changed).is_ok_and(|file| file.description().is_some());
            assert!(!is_of_longhand, "byte {place}");
        }
    }
}

#[test]
fn a_file_that_other_software_has_changed_is_opened_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut bytes = bytes(&Linear::<f32>::zeros(1, 1));
    let last = bytes.len() - 1;
    bytes[last] = 0x3f;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(ModelFile::open(&path), Err(FileError::Checksum { .. })));
    ModelFile::open_changed(&path).unwrap().load(&mut Linear::<f32>::zeros(1, 1)).unwrap();
}

#[test]
fn integers_are_kept_but_not_loaded() {
    let data = [0_u8; 16];
    let tensors = HashMap::from([
        ("weight".to_owned(), TensorView::new(Dtype::I64, vec![1, 1], &data[..8]).unwrap()),
        ("bias".to_owned(), TensorView::new(Dtype::F32, vec![1], &data[..4]).unwrap()),
    ]);
    let file = ModelFile::from_bytes(&safetensors::serialize(tensors, None).unwrap()).unwrap();
    let error = file.converting().load(&mut Linear::<f32>::zeros(1, 1)).unwrap_err().to_string();
    assert!(error.contains("`weight` (expected f32, got I64)"), "{error}");
}

#[test]
fn a_small_file_cannot_ask_for_a_large_model() {
    let description = ModelDescription::new(1000)
        .then(LayerDescription::new("Lstm").with("units", 1000))
        .then(LayerDescription::new("Linear").with("outputs", 2));
    let header = serde_json::json!({ "format": 1, "model": description }).to_string();
    let metadata = HashMap::from([("longhand".to_owned(), header)]);
    // Only floating-point numbers count.
    let integers = HashMap::from([("a", TensorView::new(Dtype::U8, vec![100], &[0; 100]).unwrap())]);
    let bytes = safetensors::serialize(integers, Some(metadata)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forged.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let error = ModelFile::open_changed(&path).unwrap().build::<f32>().unwrap_err().to_string();
    assert!(error.contains("layers[0] (`Lstm`)") && error.contains("more than 0 parameters"), "{error}");
}

#[test]
fn a_projection_is_refused_by_name() {
    let projection = Linear::<f32>::zeros(4, 2);
    let names = TensorNames::new().with_tensor("rnn.weight_hr_l0", "weight").with_tensor("rnn.bias_ih_l0", "bias");
    let file = ModelFile::of_tensors(&projection, &names).unwrap();
    let error =
        file.load_tensors(&mut Lstm::<f32>::zeros(3, 4), &TensorNames::new().with_stack("rnn", [""])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("LSTM with projection (`proj_size`), which longhand does not have: `rnn.weight_hr_l0`")
    );
}

#[test]
fn biases_that_a_module_does_not_have_are_zero() {
    let names = TensorNames::new().with_stack("rnn", [""]).without_biases("rnn");
    let mut without = Gru::<f32>::new(2, 3, &mut generator(1));
    let error = ModelFile::of_tensors(&without, &names).unwrap_err().to_string();
    assert!(error.contains("`rnn.bias_hh_l0` is not zero"), "{error}");
    without.bias_ih_l0.fill(0.0);
    without.bias_hh_l0.fill(0.0);
    let file = ModelFile::of_tensors(&without, &names).unwrap();
    assert_eq!(file.tensors().count(), 2);
    let mut loaded = Gru::<f32>::new(2, 3, &mut generator(2));
    file.load_tensors(&mut loaded, &names).unwrap();
    assert_eq!(loaded, without);
}

/// A layer of the user's own, which a file of a model can name.
#[derive(Debug, Clone, PartialEq)]
struct Gain<T: Scalar> {
    gain: nalgebra::DVector<T>,
}

longhand::tensors!(Gain { gain });

impl<T: Scalar> Layer<T> for Gain<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("Gain({})", self.gain.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        cache.reshape(input.features(), input.layout());
        for (y, x) in cache.values_mut().column_iter_mut().zip(input.values().column_iter()) {
            let mut y = y;
            y.copy_from(&x.component_mul(&self.gain));
        }
        cache
    }

    fn output(cache: &Sequences<T>) -> &Sequences<T> {
        cache
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        _: &mut Sequences<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let gradients = gradients.to_add_to::<T>();
        if let (Some(gradients), Some(d_output)) = (gradients, d_output) {
            gradients.gain += d_output.values().component_mul(input.values()).column_sum();
        }
        if let Some(d_input) = d_input {
            d_input.reshape(input.features(), input.layout());
            for column in 0..input.layout().columns() {
                let d_y =
                    d_output.map_or_else(|| self.gain.map(|_| T::zero()), |d| d.values().column(column).into_owned());
                d_input.values_mut().set_column(column, &d_y.component_mul(&self.gain));
            }
        }
    }
}

impl<T: Scalar> Describe<T> for Gain<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Gain")])
    }
}

#[test]
fn a_layer_of_ones_own_is_saved_and_opened() {
    let model =
        Linear::<f32>::new(2, 3, &mut generator(1)).then(Gain { gain: nalgebra::dvector![1.0, 2.0, 3.0] }).unwrap();
    let file = ModelFile::from_bytes(&bytes(&model)).unwrap();
    let layers = Layers::library().with("Gain", |layer| {
        let inputs = layer.inputs()?;
        layer.check_size(&[[inputs, 1]])?;
        Ok(BoxedLayer::without_streaming(Gain { gain: nalgebra::DVector::zeros(inputs) }))
    });
    let opened: Model<f32> = file.build_with(&layers).unwrap();
    assert_eq!(bits(&opened), bits(&model));
    assert_eq!(bytes(&opened), bytes(&model));
    assert!(
        file.build::<f32>().unwrap_err().to_string().contains("layers[1] (`Gain`): there is no layer of this name")
    );
    // In a box, its type is not known.
    let boxed = BoxedLayer::<f32>::without_streaming(model.second().clone());
    assert!(ModelFile::of(&boxed).unwrap_err().to_string().contains("`Gain(3)` is in a box"));
}

#[test]
fn paths_that_are_no_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("missing"), "".into(), "/dev/null/model".into()] {
        let error = ModelFile::open(&path).unwrap_err();
        assert!(matches!(error, FileError::Read { .. }), "{error}");
        assert!(matches!(ModelFile::open_changed(&path), Err(FileError::Read { .. })));
    }
    let model = Linear::<f32>::zeros(1, 1);
    for path in [folder.path().to_path_buf(), folder.path().join("missing/model"), "".into(), "/dev/null/model".into()]
    {
        let error = save(&model, &path).unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn tensors_may_have_any_name_but_that_of_the_metadata() {
    let model = Linear::<f32>::new(2, 1, &mut generator(1));
    for name in ["", "/", "a/b", "\0", "\n", "\u{1b}[31m", "\"", "{\"checksum\":\"00000000\"}", "longhand", "\u{1f600}"]
    {
        let names = TensorNames::new().with_tensor(name, "weight");
        let file = ModelFile::of_tensors(&model, &names).unwrap();
        let file = ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
        let mut loaded = Linear::<f32>::zeros(2, 1);
        file.load_tensors(&mut loaded, &names).unwrap();
        assert_eq!(loaded, model, "{name:?}");
    }
    let names = TensorNames::new().with_tensor("__metadata__", "weight");
    let error = ModelFile::of_tensors(&model, &names).unwrap().to_bytes().unwrap_err();
    assert!(matches!(error, FileError::NotReadable { .. }), "{error}");
    assert!(error.to_string().contains("duplicate field `__metadata__`"), "{error}");
}

#[test]
fn what_can_be_written_can_be_read() {
    let file = || ModelFile::of(&Linear::<f32>::zeros(1, 1)).unwrap();
    let nested = |levels: usize| (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
    for levels in [1, 100, 120, 125, 126, 127, 128, 200] {
        match file().with("nested", nested(levels)).unwrap().to_bytes() {
            Ok(bytes) => assert_eq!(ModelFile::from_bytes(&bytes).unwrap().metadata()["nested"], nested(levels)),
            Err(error) => {
                assert!(error.to_string().contains("recursion limit exceeded"), "{error}");
                assert!(levels > 120, "{levels} levels");
            }
        }
    }
    // A model that is deeper than a description can be.
    let mut deep = BoxedLayer::<f32>::new(Activation::Tanh);
    for _ in 0..200 {
        deep = BoxedLayer::new(Residual::new(deep).unwrap());
    }
    assert!(matches!(ModelFile::of(&deep).unwrap().to_bytes(), Err(FileError::NotReadable { .. })));
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
