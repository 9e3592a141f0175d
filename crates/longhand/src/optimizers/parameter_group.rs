//! Settings of some of the parameters, which are selected by name.

use crate::hyperparameters::check_not_negative;
use crate::scalar::real;
use crate::{HyperparameterError, Path, Scalar};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Parameters that an optimizer treats in their own way: another learning rate, another weight decay.
///
/// A parameter belongs to the first group that selects its name, as [`Tensors::names`](crate::Tensors::names) gives it.
///
/// ```
/// use longhand::{AdamW, ParameterGroup};
/// let optimizer = AdamW::<f32>::new()
///     .with_weight_decay(0.01)?
///     .with_group(ParameterGroup::containing("bias").with_weight_decay(0.0))?
///     .with_group(ParameterGroup::starting_with("0.").with_learning_rate_factor(0.1))?;
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterGroup {
    selects: Selection,
    learning_rate_factor: f64,
    weight_decay: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Selection {
    Containing(String),
    StartingWith(String),
}

impl ParameterGroup {
    /// The parameters whose name contains `text`: `bias`, `weight_hh`.
    pub fn containing(text: &str) -> Self {
        ParameterGroup::of(Selection::Containing(text.to_string()))
    }

    /// The parameters whose name starts with `text`: `0.` selects the first layer of a chain.
    pub fn starting_with(text: &str) -> Self {
        ParameterGroup::of(Selection::StartingWith(text.to_string()))
    }

    fn of(selects: Selection) -> Self {
        ParameterGroup { selects, learning_rate_factor: 1.0, weight_decay: None }
    }

    /// Multiplies the learning rate of each step by `factor`; 0 leaves the parameters as they are.
    #[must_use]
    pub fn with_learning_rate_factor(self, factor: f64) -> Self {
        ParameterGroup { learning_rate_factor: factor, ..self }
    }

    /// Uses this weight decay in place of the optimizer's.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        ParameterGroup { weight_decay: Some(weight_decay), ..self }
    }

    fn selects(&self, name: &str) -> bool {
        match &self.selects {
            Selection::Containing(text) => name.contains(text.as_str()),
            Selection::StartingWith(text) => name.starts_with(text.as_str()),
        }
    }
}

/// The groups of an optimizer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Groups {
    groups: Vec<ParameterGroup>,
    /// The group of each tensor, known from the first step on.
    of_tensors: Vec<Option<usize>>,
}

impl Groups {
    pub(super) fn add<T: Scalar>(&mut self, group: ParameterGroup) -> Result<(), HyperparameterError> {
        check_not_negative::<T>("learning rate factor", group.learning_rate_factor)?;
        check_not_negative::<T>("weight decay", group.weight_decay.unwrap_or(0.0))?;
        self.groups.push(group);
        Ok(())
    }

    /// Learning rate and weight decay of tensor number `index`, where those of the optimizer are `learning_rate` and
    /// `weight_decay`. `None` if the tensor is frozen.
    pub(super) fn settings<T: Scalar>(
        &mut self,
        index: usize,
        path: &Path<'_>,
        (learning_rate, weight_decay): (T, f64),
    ) -> Option<(T, f64)> {
        if path.is_frozen() {
            return None;
        }
        if self.groups.is_empty() {
            return Some((learning_rate, weight_decay));
        }
        if self.of_tensors.len() <= index {
            self.of_tensors.resize(index, None);
            let name = path.to_string();
            self.of_tensors.push(self.groups.iter().position(|group| group.selects(&name)));
        }
        let Some(group) = self.of_tensors[index].map(|group| &self.groups[group]) else {
            return Some((learning_rate, weight_decay));
        };
        let learning_rate = learning_rate * real(group.learning_rate_factor);
        Some((learning_rate, group.weight_decay.unwrap_or(weight_decay)))
    }

    /// Whether all parameters have the optimizer's settings.
    pub(super) fn are_empty(&self) -> bool {
        self.groups.is_empty()
    }
}
