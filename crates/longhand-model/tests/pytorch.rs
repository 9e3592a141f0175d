//! PyTorch's modules and the models here give the same outputs, last states and gradients, from the same state dict.
//!
//! `pytorch/files` has state dicts of random PyTorch modules and a run of each, written by `pytorch/write.py`; nothing here needs
//! Python. The other direction, and other random modules, need PyTorch (`pytorch/requirements.txt`):
//!
//! ```text
//! cd crates/longhand-model/tests/pytorch
//! python write.py --folder /tmp/modules --seed 7 --count 100
//! PYTORCH_FILES=/tmp/modules cargo test -p longhand-model --test pytorch -- --nocapture
//! PYTORCH_FILES=/tmp/modules LONGHAND_FILES=/tmp/models cargo test -p longhand-model --test pytorch -- --ignored
//! python check.py /tmp/models
//! ```
//!
//! Two tensors differ by the largest difference of two elements, divided by the largest element of PyTorch's. The limit is 1e-12 in
//! double precision. In single precision it is 1e-6, plus four times what rounding changes in PyTorch's own result, if that is more
//! than 5e-8 (`rounding_of` in `write.py`): a sum in which large numbers cancel loses digits in both programs.

#[path = "pytorch/case.rs"]
mod case;
#[path = "pytorch/run.rs"]
mod run;

use case::Case;
use longhand::{nalgebra, prelude::*};
use longhand_model::{FileError, Model, ModelFile, ModelInput, TensorNames};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use run::{Input, Run, Tensor, results};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path as FilePath, PathBuf};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pytorch");

/// A file of `write.py`.
struct PyTorchFile {
    name: String,
    bytes: Vec<u8>,
    case: Case,
    /// What rounding changes in each result of PyTorch, where that is more than 5e-8.
    rounding: BTreeMap<String, f64>,
}

impl PyTorchFile {
    fn read(path: &FilePath) -> Self {
        let bytes = fs::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = metadata.metadata().clone().unwrap();
        let case = serde_json::from_str(&metadata["case"]).unwrap();
        let rounding = serde_json::from_str(&metadata["rounding"]).unwrap();
        PyTorchFile { name: path.file_stem().unwrap().to_string_lossy().into_owned(), bytes, case, rounding }
    }

    /// The largest difference that a result may have.
    fn limit(&self, result: &str) -> f64 {
        if self.is_double() { 1e-12 } else { 1e-6 + 4.0 * self.rounding.get(result).unwrap_or(&0.0) }
    }

    /// The tensors of its run.
    fn run(&self) -> Run {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let run = tensors.iter().filter_map(|(name, view)| Some((name.strip_prefix("run.")?.to_owned(), view)));
        run.map(|(name, view)| (name, Tensor::of(&view))).collect()
    }

    /// The bytes of the tensors of its state dict.
    fn state(&self) -> BTreeMap<String, Bits> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let state = tensors.iter().filter(|(name, _)| !name.starts_with("run."));
        state.map(|(name, view)| (name.to_owned(), bits(&view))).collect()
    }

    /// The model with the parameters of the state dict.
    fn model<T: Scalar, X: ModelInput<T>>(&self) -> Model<T, X> {
        let mut model = Model::build(&self.case.description(), &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let names = self.case.names().ignoring("run");
        ModelFile::from_bytes(&self.bytes).unwrap().load_tensors(&mut model, &names).unwrap();
        model
    }

    /// What the model here gives for the inputs of a run.
    fn results(&self, run: &Run) -> Run {
        match (self.case.inputs.is_some(), self.is_double()) {
            (true, false) => results(&self.case, &self.model::<f32, Sequences<f32>>(), run),
            (true, true) => results(&self.case, &self.model::<f64, Sequences<f64>>(), run),
            (false, false) => results(&self.case, &self.model::<f32, Tokens>(), run),
            (false, true) => results(&self.case, &self.model::<f64, Tokens>(), run),
        }
    }

    fn is_double(&self) -> bool {
        self.case.precision == "f64"
    }
}

/// Everything that a file has of a tensor.
type Bits = (Dtype, Vec<usize>, Vec<u8>);

fn bits(view: &TensorView<'_>) -> Bits {
    (view.dtype(), view.shape().to_vec(), view.data().to_vec())
}

/// The files of the repository, or of the folder that the environment names.
fn files() -> Vec<PyTorchFile> {
    let folder = std::env::var_os("PYTORCH_FILES").map_or_else(|| FilePath::new(HERE).join("files"), PathBuf::from);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are no files");
    paths.iter().map(|path| PyTorchFile::read(path)).collect()
}

#[test]
fn outputs_states_and_gradients_are_those_of_pytorch() {
    let mut largest: BTreeMap<(&str, &str), (f64, f64)> = BTreeMap::new();
    let mut wrong = Vec::new();
    let files = files();
    for file in &files {
        let run = file.run();
        let found = file.results(&run);
        for (name, expected) in run.iter().filter(|(name, _)| run::is_result(name)) {
            let difference = found[name].difference(&file.case.without_second_directions(name, expected));
            let is_gradient = name.starts_with("d_") || name.starts_with("gradient/");
            let kind = if is_gradient { "gradients" } else { "outputs and states" };
            let (largest, of_limit) = largest.entry((&file.case.precision, kind)).or_default();
            let limit = file.limit(name);
            (*largest, *of_limit) = (largest.max(difference), of_limit.max(difference / limit));
            if difference > limit || difference.is_nan() {
                wrong.push(format!("{}: {name} differs by {difference:.1e}", file.name));
            }
        }
    }
    for ((precision, kind), (largest, of_limit)) in largest {
        let count = files.len();
        println!(
            "{count} modules, {kind} in {precision}: the largest difference is {largest:.1e}, {of_limit:.2} of its limit"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So `load_state_dict` accepts what is written here.
#[test]
fn a_state_dict_is_written_as_pytorch_writes_it() {
    fn written<T: Scalar, X: ModelInput<T>>(file: &PyTorchFile) -> Vec<u8> {
        let model: Model<T, X> = file.model();
        ModelFile::of_tensors(&model, &file.case.names()).unwrap().to_bytes().unwrap()
    }
    for file in files() {
        let bytes = match (file.case.inputs.is_some(), file.is_double()) {
            (true, false) => written::<f32, Sequences<f32>>(&file),
            (true, true) => written::<f64, Sequences<f64>>(&file),
            (false, false) => written::<f32, Tokens>(&file),
            (false, true) => written::<f64, Tokens>(&file),
        };
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = tensors.iter().map(|(name, view)| (name.to_owned(), bits(&view)));
        assert_eq!(tensors.collect::<BTreeMap<_, _>>(), file.state(), "{}", file.name);
    }
}

#[test]
fn pickles_are_refused_with_the_command_that_converts_them() {
    for name in ["linear.pt", "linear-before-1.6.pt"] {
        let error = ModelFile::open(format!("{HERE}/refused/{name}")).unwrap_err();
        assert!(matches!(error, FileError::Pickle { .. }), "{error}");
        assert!(error.to_string().contains("python -c"), "{error}");
    }
}

#[test]
fn an_lstm_with_a_projection_is_refused_by_name_where_an_lstm_is_expected() {
    let file = ModelFile::open(format!("{HERE}/refused/projection.safetensors")).unwrap();
    let mut stack = Lstm::<f32>::zeros(3, 4).then(Lstm::zeros(4, 4)).unwrap();
    let error = file.load_tensors(&mut stack, &TensorNames::new().with_stack("", ["0", "1"])).unwrap_err().to_string();
    assert!(
        error.contains("(`proj_size`), which is a `ProjectedLstm` in longhand: `weight_hr_l0` [2, 4], `weight_hr_l1`"),
        "{error}"
    );
    let mut right = ProjectedLstm::<f32>::zeros(3, 4, 2).then(ProjectedLstm::zeros(2, 4, 2)).unwrap();
    file.load_tensors(&mut right, &TensorNames::new().with_stack("", ["0", "1"])).unwrap();
}

/// A head that uses the table of the embedding has the same parameters, in one tensor.
#[test]
fn tied_weights_are_loaded_into_both_layers() {
    let table = Embedding::<f32>::new(5, 3, &mut ChaCha8Rng::seed_from_u64(1));
    let file = ModelFile::of_tensors(&table, &TensorNames::new().with_module("embedding", "")).unwrap();
    let mut model = Embedding::<f32>::zeros(5, 3).then(Linear::zeros(3, 5)).unwrap();
    let names = TensorNames::new()
        .with_tensor("embedding.weight", "0.weight")
        .with_tensor("embedding.weight", "1.weight")
        .with_module("head", "1")
        .without_biases("head");
    file.load_tensors(&mut model, &names).unwrap();
    assert_eq!(model.first(), &table);
    assert_eq!(model.second().weight, table.weight.transpose());
}

/// The tensors of an `nn.GRUCell` have no number of a layer in their names.
#[test]
fn a_cell_is_loaded_tensor_by_tensor() {
    let cell = Gru::<f32>::new(2, 3, &mut ChaCha8Rng::seed_from_u64(1));
    let tensors = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    let names = tensors.iter().fold(TensorNames::new(), |names, tensor| {
        names.with_tensor(format!("decoder.cell.{tensor}"), format!("{tensor}_l0"))
    });
    let file = ModelFile::of_tensors(&cell, &names).unwrap();
    let mut found: Vec<&str> = file.tensors().map(|(name, _)| name).collect();
    found.sort_unstable_by_key(|name| tensors.iter().position(|tensor| name.ends_with(tensor)));
    assert_eq!(found, tensors.map(|tensor| format!("decoder.cell.{tensor}")));
    let mut loaded = Gru::zeros(2, 3);
    file.load_tensors(&mut loaded, &names).unwrap();
    assert_eq!(loaded, cell);
}

/// Models of the same layers with other parameters: a file for `load_state_dict`, and a run of each for `check.py` to compare.
#[test]
#[ignore = "writes files for pytorch/check.py, which needs PyTorch"]
fn models_are_written_for_pytorch() {
    fn write<T: Scalar, X: Input<T>>(file: &PyTorchFile, folder: &FilePath, generator: &mut ChaCha8Rng) -> Run {
        let mut model: Model<T, X> = file.model();
        model.visit_mut(&Path::ROOT, &mut |_, _, values| {
            // The biases that the module does not have stay zero.
            if values.iter().any(|&x| x != T::zero()) {
                values.fill_with(|| nalgebra::convert(generator.random_range(-0.7..0.7)));
            }
        });
        let state = ModelFile::of_tensors(&model, &file.case.names()).unwrap();
        state.save(folder.join(format!("{}.safetensors", file.name))).unwrap();
        let mut run = file.run();
        run.retain(|name, _| !run::is_result(name));
        for (_, tensor) in run.iter_mut().filter(|(name, _)| *name != "lengths") {
            let has_ids = tensor.values.iter().all(|x| x.fract() == 0.0);
            let mut change = |x: &mut f64| *x = f64::from((*x * generator.random_range(0.5..1.5)) as f32);
            tensor.values.iter_mut().filter(|_| !has_ids).for_each(&mut change);
        }
        let mut results = results(&file.case, &model, &run);
        results
            .retain(|name, _| name.strip_prefix("gradient/").is_none_or(|name| state.tensors().any(|t| t.0 == name)));
        run.append(&mut results);
        run
    }
    let folder = PathBuf::from(std::env::var_os("LONGHAND_FILES").expect("LONGHAND_FILES must name a folder"));
    fs::create_dir_all(&folder).unwrap();
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    for file in files() {
        let run = match (file.case.inputs.is_some(), file.is_double()) {
            (true, false) => write::<f32, Sequences<f32>>(&file, &folder, &mut generator),
            (true, true) => write::<f64, Sequences<f64>>(&file, &folder, &mut generator),
            (false, false) => write::<f32, Tokens>(&file, &folder, &mut generator),
            (false, true) => write::<f64, Tokens>(&file, &folder, &mut generator),
        };
        let case = HashMap::from([("case".to_owned(), serde_json::to_string(&file.case).unwrap())]);
        let run: Vec<_> = run.into_iter().map(|(name, tensor)| (name, tensor.bytes(), tensor.shape)).collect();
        let views =
            run.iter().map(|(name, bytes, shape)| (name, TensorView::new(Dtype::F64, shape.clone(), bytes).unwrap()));
        let bytes = safetensors::serialize(views, Some(case)).unwrap();
        fs::write(folder.join(format!("{}.run", file.name)), bytes).unwrap();
    }
}
