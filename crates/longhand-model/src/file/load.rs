//! The tensors of a file into a model.

use super::stored_tensor::{Precision, StoredTensor, dimensions};
use super::{FileError, ModelFile, TensorNames, TensorProblems};
use crate::{Describe, LayerDescription, Layers, Model, ModelInput};
use longhand::{Path, Scalar, Tensors, Tokens};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet};

impl ModelFile {
    /// Tensors of another precision are converted when they are loaded, in place of an error: rounded to the nearest.
    #[must_use]
    pub fn converting(mut self) -> Self {
        self.converts = true;
        self
    }

    /// Tensors with elements that are NaN or infinite are loaded, in place of an error.
    #[must_use]
    pub fn allowing_not_finite(mut self) -> Self {
        self.allows_not_finite = true;
        self
    }

    /// Builds the file's model, of the library's layers.
    ///
    /// # Errors
    /// If the file has no description, no model can be built from it, or the tensors do not fit.
    pub fn build<T: Scalar>(&self) -> Result<Model<T>, FileError> {
        self.build_with(&Layers::library())
    }

    /// [`build`](Self::build), for a model on token ids.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_on_tokens<T: Scalar>(&self) -> Result<Model<T, Tokens>, FileError> {
        self.build_with(&Layers::library())
    }

    /// Builds the file's model of these layers: the library's, and your own.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with<T: Scalar, X: ModelInput<T>>(&self, layers: &Layers<T>) -> Result<Model<T, X>, FileError> {
        let description = self.description().ok_or_else(|| FileError::NoDescription { file: self.name.clone() })?;
        // A model has no more parameters than its file has numbers, whatever the description says.
        let tensors = self.tensors.values().filter(|tensor| tensor.precision().is_ok());
        let numbers = tensors.map(StoredTensor::len).sum();
        // The initial values are replaced.
        let mut generator = SmallRng::seed_from_u64(0);
        let mut model = Model::build_within(description, layers, numbers, &mut generator)
            .map_err(|error| FileError::Model { file: self.name.clone(), error: Box::new(error) })?;
        self.load_tensors(&mut model, &TensorNames::new())?;
        Ok(model)
    }

    /// Loads the parameters of a model. If the file has a description, the model must have the same layers with the same settings,
    /// so that a network with relu is never loaded into one with tanh.
    ///
    /// # Errors
    /// If the layers differ, or the tensors do not fit: one error lists every tensor that is missing, unexpected, of other
    /// dimensions or precision, or not finite. The model is then unchanged.
    pub fn load<T: Scalar, M: Describe<T> + Tensors<T>>(&self, model: &mut M) -> Result<(), FileError> {
        if let Some(description) = self.description() {
            self.check_layers(&description.layers, &model.describe()?)?;
        }
        self.load_tensors(model, &TensorNames::new())
    }

    /// Loads tensors alone, whatever the layers are: of a PyTorch module, or into a part of a model.
    ///
    /// ```
    /// use longhand::prelude::*;
    /// use longhand_model::{ModelFile, TensorNames};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("pytorch.safetensors");
    /// # let names = TensorNames::new().with_stack("rnn", ["0"]).with_module("head", "2");
    /// # ModelFile::of_tensors(&Lstm::<f32>::zeros(3, 8).then(LastStep)?.then(Linear::zeros(8, 2))?, &names)?.save(&path)?;
    /// // A PyTorch module with `self.rnn = nn.LSTM(3, 8)` and `self.head = nn.Linear(8, 2)`.
    /// let mut model = Lstm::<f32>::zeros(3, 8).then(LastStep)?.then(Linear::zeros(8, 2))?;
    /// let names = TensorNames::new().with_stack("rnn", ["0"]).with_module("head", "2");
    /// ModelFile::open(&path)?.load_tensors(&mut model, &names)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the tensors do not fit. The model is then unchanged.
    pub fn load_tensors<T: Scalar, M: Tensors<T>>(&self, model: &mut M, names: &TensorNames) -> Result<(), FileError> {
        let allowed = Allowed { other_precisions: self.converts, not_finite: self.allows_not_finite };
        copy_tensors(&self.tensors, model, names, allowed)
            .map_err(|problems| FileError::Tensors { file: self.name.clone(), problems })
    }

    fn check_layers(&self, in_file: &[LayerDescription], in_model: &[LayerDescription]) -> Result<(), FileError> {
        let count = in_file.len().max(in_model.len());
        let Some(place) = (0..count).find(|&place| in_file.get(place) != in_model.get(place)) else { return Ok(()) };
        let show = |layers: &[LayerDescription]| layers.get(place).map_or("nothing".to_owned(), ToString::to_string);
        Err(FileError::OtherModel { file: self.name.clone(), place, in_file: show(in_file), in_model: show(in_model) })
    }
}

impl<T: Scalar, X: ModelInput<T>> Model<T, X> {
    /// Opens a model file and builds its model, of the library's layers.
    ///
    /// # Errors
    /// As [`ModelFile::open`] and [`ModelFile::build`].
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, FileError> {
        ModelFile::open(path)?.build_with(&Layers::library())
    }
}

/// What is not an error.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    pub(crate) other_precisions: bool,
    pub(crate) not_finite: bool,
}

/// Copies the tensors of a file to a model, if all of them fit.
pub(crate) fn copy_tensors<T: Scalar, M: Tensors<T>>(
    tensors: &BTreeMap<String, StoredTensor>,
    model: &mut M,
    names: &TensorNames,
    allowed: Allowed,
) -> Result<(), Box<TensorProblems>> {
    let problems = compare(tensors, model, names, allowed);
    if !problems.is_empty() {
        return Err(Box::new(problems));
    }
    model.visit_mut(&Path::ROOT, &mut |path, shape, values| match tensors.get(&names.in_file(&path.to_string())) {
        Some(stored) => stored.copy_to(shape, values),
        // A bias that the file does not have.
        None => values.fill(T::zero()),
    });
    Ok(())
}

/// Compares every tensor of a file with the model's.
fn compare<T: Scalar, M: Tensors<T>>(
    tensors: &BTreeMap<String, StoredTensor>,
    model: &M,
    names: &TensorNames,
    allowed: Allowed,
) -> TensorProblems {
    let (mut problems, mut used) = (TensorProblems::default(), BTreeSet::new());
    let precision = Precision::of::<T>();
    model.visit(&Path::ROOT, &mut |path, shape, _| {
        let (name, expected) = (names.in_file(&path.to_string()), dimensions(shape));
        let Some(stored) = tensors.get(&name) else {
            if !names.may_be_missing(&name) {
                problems.missing.push((name, expected));
            }
            return;
        };
        if stored.dimensions != expected {
            problems.misshapen.push((name.clone(), expected, stored.dimensions.clone()));
        }
        match stored.precision() {
            Ok(found) if found == precision || allowed.other_precisions => {}
            Ok(found) => problems.other_precision.push((name.clone(), precision.to_string(), found.to_string())),
            Err(found) => problems.other_precision.push((name.clone(), precision.to_string(), found)),
        }
        // Of the number as the model has it: a large double is infinite in single precision.
        let is_finite = |number: f64| longhand::nalgebra::convert::<f64, T>(number).is_finite();
        let not_finite = stored.numbers().filter(|&number| !is_finite(number)).count();
        if not_finite > 0 && !allowed.not_finite {
            problems.not_finite.push((name.clone(), not_finite));
        }
        used.insert(name);
    });
    let unexpected = tensors.iter().filter(|&(name, _)| !used.contains(name) && !names.is_ignored(name));
    problems.unexpected.extend(unexpected.map(|(name, stored)| (name.clone(), stored.dimensions.clone())));
    problems
}
