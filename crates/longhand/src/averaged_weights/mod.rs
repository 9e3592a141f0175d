//! Averages of a model's weights over training, which are evaluated in place of the model.
//!
//! The weights of a model that is trained with noisy gradients move around a minimum; their average is nearer to it. Both averages here
//! are running averages of the weights `w_1, w_2, ...`, the weights at each update, that differ only in the share of the newest:
//!
//! ```text
//! average_t = average_(t-1) + share_t (w_t - average_(t-1))            share_1 = 1
//! ```
//!
//! | average | `share_t` | what it averages |
//! |---|---|---|
//! | [`StochasticWeightAverage`] | `1 / t` | all updates, equally |
//! | [`ExponentialMovingAverage`] | `1 - decay` | about the last `1 / (1 - decay)` updates |
//! | with bias correction | `(1 - decay) / (1 - decay^t)` | the same, without the excess weight of the first |
//!
//! The loop of training updates an average after a step of the optimizer. The optimizer and the model do not know of it.
//!
//! ```
//! use longhand::prelude::*;
//! # let x = Sequences::from_fn(1, 4, 2, |_, step, sequence| (step * sequence) as f32);
//! # let mut model = Linear::<f32>::zeros(1, 1);
//! # let loss = MeanSquaredError::new(Reduction::MeanOverElements);
//! # let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
//! # let batch = Batch { inputs: &x, targets: &x };
//! let (mut optimizer, mut average) = (Adam::new(), ExponentialMovingAverage::new(&model, 0.99)?.with_bias_correction());
//! for _ in 0..100 {
//!     let (_, gradients) = trainer.gradients(&model, batch)?;
//!     optimizer.step(&mut model, gradients, 0.01);
//!     average.update(&model);
//! }
//! let validation_loss = trainer.evaluate(average.model(), batch)?;
//! # assert!(validation_loss < 4.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In a checkpoint
//! The state of an average is a model and the number of updates, so a checkpoint (of the crate `longhand-model`) stores it as such:
//!
//! ```text
//! let checkpoint = checkpoint.with_tensors("average", average.model()).with("updates", &average.updates())?;
//!
//! let mut saved = model.clone();
//! checkpoint.copy_tensors("average", &mut saved)?;
//! average.restore(&saved, checkpoint.get("updates")?);
//! ```
//!
//! # Precision
//! An average has the precision of its model: at f32, a difference `w_t - average` below about `6e-8 average / share` is lost. With
//! `decay = 0.999` that is 6e-5 of the weight, which is small compared with the noise that is averaged.
//!
//! Weights that are NaN or infinite stay in an average. A [`Trainer`](crate::Trainer) returns an error before such an update.

mod exponential_moving_average;
mod stochastic_weight_average;

pub use exponential_moving_average::ExponentialMovingAverage;
pub use stochastic_weight_average::StochasticWeightAverage;

use crate::kernel::{Equations, Real, compiled_here, each};
use crate::{Path, Scalar, Tensors};

/// A running average of the weights of a model.
#[derive(Debug, Clone, PartialEq)]
struct RunningAverage<M> {
    model: M,
    updates: u32,
}

impl<M> RunningAverage<M> {
    /// Without updates. The value is that of the model until the first one, which replaces it.
    fn new(model: M) -> Self {
        RunningAverage { model, updates: 0 }
    }

    /// Adds the weights of a model, whose share at update `t` is `share(t)`; at the first update it is 1.
    #[track_caller]
    fn update<T: Scalar>(&mut self, model: &M, share: impl FnOnce(u32) -> T)
    where
        M: Tensors<T>,
    {
        self.updates = self.updates.saturating_add(1);
        if self.updates == 1 {
            // Exact: the sum of the equation could be rounded.
            self.model.copy_from(model);
            return;
        }
        let share = Share(share(self.updates));
        self.model.visit_pair(&Path::ROOT, model, &mut |_, average, w| each(share, [w], [average]));
    }

    #[track_caller]
    fn restore<T: Scalar>(&mut self, average: &M, updates: u32)
    where
        M: Tensors<T>,
    {
        self.model.copy_from(average);
        self.updates = updates;
    }
}

/// The update of one weight's average, with the share of the new weight.
#[derive(Clone, Copy)]
struct Share<T>(T);

compiled_here!(Share<T>, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for Share<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [w]: [V; 1], [average]: [V; 1]) -> [V; 1] {
        // In this form, the average of equal weights (of frozen ones, for example) is exact.
        [(average + w.constant(self.0) * (w - average)).flush_to_zero()]
    }
}
