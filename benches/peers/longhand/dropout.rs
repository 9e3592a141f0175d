//! Dropout, forward and backward, in training.

use crate::generator::Tensor;
use crate::layers::{fill_d_output, scaled_product, sequences};
use crate::protocol::{Job, Workload};
use longhand::{Gradients, Layer, Pass, Sequences};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The probability that an element is dropped.
pub const PROBABILITY: f64 = 0.5;

struct DropoutJob<L: Layer<f32>> {
    layer: L,
    generator: ChaCha8Rng,
    x: Sequences<f32>,
    cache: L::Cache,
    d_y: Sequences<f32>,
    d_x: Sequences<f32>,
    gradients: Gradients<L>,
}

/// Creates the job for a layer without parameters that drops elements.
pub fn job<L>(layer: L, workload: &Workload) -> Box<dyn Job>
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>, Carry = ()> + 'static,
{
    let x = sequences(Tensor::Input, workload.units, workload.batch);
    let (mut d_y, d_x, gradients) = (x.clone(), x.clone(), Gradients::zeros(&layer));
    fill_d_output(&mut d_y);
    let generator = ChaCha8Rng::seed_from_u64(1);
    Box::new(DropoutJob { layer, generator, x, cache: L::Cache::default(), d_y, d_x, gradients })
}

impl<L> Job for DropoutJob<L>
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>, Carry = ()>,
{
    fn restart(&mut self) {}

    fn step(&mut self) {
        let DropoutJob { layer, generator, x, cache, d_y, d_x, gradients } = self;
        layer.forward(x, &mut (), cache, &mut Pass::Train(generator));
        layer.backward(x, cache, Some(d_y), &mut (), gradients.replace(), Some(d_x));
    }

    /// Frameworks draw different masks, so these do not depend on the mask: the share of dropped elements to one digit, the
    /// largest error of an element that is kept, and the difference between the masks of the two passes.
    fn values(&self) -> Vec<f32> {
        let (y, kept) = (L::output(&self.cache), (1.0 / (1.0 - PROBABILITY)) as f32);
        let pairs = || y.values().iter().zip(self.x.values());
        let dropped = pairs().filter(|(y, _)| **y == 0.0).count() as f32 / y.values().len() as f32;
        let errors = pairs().filter(|(y, _)| **y != 0.0).map(|(y, x)| (y - kept * x).abs());
        let difference =
            scaled_product(y.values(), self.d_y.values()) - scaled_product(self.d_x.values(), self.x.values());
        vec![(10.0 * dropped).round() / 10.0, errors.fold(0.0, f32::max), difference]
    }
}
