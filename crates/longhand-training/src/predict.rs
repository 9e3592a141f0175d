//! The outputs of a model on data that it is not trained on.

use crate::{Batches, MiniBatch, SequenceSet};
use longhand::{Layer, Pass, Scalar, Target};

/// Runs a model in inference on all sequences, in the order of the data, and calls `each` with the outputs of each batch and the
/// batch: update metrics there.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::{Batches, metrics::ConfusionMatrix, predict};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Gru::<f32>::new(1, 4, &mut generator).then(LastStep)?.then(Linear::new(4, 2, &mut generator))?;
/// let x = Sequences::from_fn(1, 8, 10, |_, step, b| (step * b) as f32);
/// let labels = Labels::per_sequence(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
///
/// let mut confusion = ConfusionMatrix::new(2);
/// predict(&model, &Batches::new(&x, &labels, 4)?, |outputs, batch| confusion.update(outputs, &batch.targets))?;
/// assert_eq!(confusion.total(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first error of `each`.
///
/// # Panics
/// If the model does not take these inputs.
pub fn predict<T, M, X, Y, E>(
    model: &M,
    batches: &Batches<'_, X, Y>,
    mut each: impl FnMut(&M::Output, &MiniBatch<X::Batch, Y>) -> Result<(), E>,
) -> Result<(), E>
where
    T: Scalar,
    M: Layer<T, Input = X::Batch>,
    X: SequenceSet + ?Sized,
    Y: Target,
{
    let (mut batch, mut cache, mut epoch) = (MiniBatch::default(), M::Cache::default(), batches.in_order());
    while batches.fill(&mut batch, &mut epoch) {
        let mut carry = model.carry(batch.sequences().len());
        each(model.forward(&batch.inputs, &mut carry, &mut cache, &mut Pass::Infer), &batch)?;
    }
    Ok(())
}
