//! Norms of tensors, by name.

use crate::number::as_f64;
use longhand::nalgebra::DVector;
use longhand::{Path, Scalar, Tensors, global_norm};
use serde::{Deserialize, Serialize};

/// The size of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorNorm {
    /// The name of the tensor, such as `0.weight_ih_l0`.
    pub name: String,
    /// The Euclidean norm. NaN or infinite if an element is.
    pub norm: f64,
    /// Number of elements.
    pub elements: usize,
}

impl TensorNorm {
    /// The root mean square of the elements, which can be compared between tensors of different sizes; `None` without elements.
    pub fn root_mean_square(&self) -> Option<f64> {
        (self.elements > 0).then(|| self.norm / (self.elements as f64).sqrt())
    }
}

/// The norm of each tensor of a model, of its gradients or of a carry.
///
/// In a [`History`](crate::History), the norms of the gradients show which layer learns. A layer whose gradients are smaller than
/// those of the layers after it by a factor of 1000 hardly learns. A norm that is zero belongs to a layer that is cut off: units that are
/// all dead ([`Saturation`](super::Saturation)), or a loss that does not depend on it.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::{History, health::tensor_norms};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Elman::<f32>::new(1, 4, &mut generator).then(LastStep)?.then(Linear::new(4, 2, &mut generator))?;
/// let (x, labels) = (Sequences::from_fn(1, 5, 2, |_, step, b| (step * b) as f32), Labels::per_sequence(&[0, 1]));
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
/// let (_, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
///
/// let mut history = History::new("step");
/// for tensor in tensor_norms(gradients.values()) {
///     history.record(0, &tensor.name, tensor.norm);
/// }
/// assert_eq!(history.names().next(), Some("0.weight_ih_l0"));
/// assert!(history.at("2.weight", 0) > Some(0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tensor_norms<T: Scalar, P: Tensors<T>>(value: &P) -> Vec<TensorNorm> {
    let mut norms = Vec::new();
    value.visit(&Path::ROOT, &mut |path, _, values| {
        // Neither overflows nor underflows.
        let norm = as_f64(global_norm(&DVector::from_column_slice(values)));
        norms.push(TensorNorm { name: path.to_string(), norm, elements: values.len() });
    });
    norms
}
