//! An embedding, forward and backward. Its input has no gradient.

use crate::layers::{fill, fill_d_output, scaled_product};
use crate::protocol::{Job, STEPS, Workload};
use longhand::{Embedding, Gradients, Layer, Layout, Pass, Sequences, Tokens};

/// Number of token ids.
const TOKENS: usize = 1_000;

struct EmbeddingJob {
    layer: Embedding<f32>,
    ids: Tokens,
    y: Sequences<f32>,
    d_y: Sequences<f32>,
    gradients: Gradients<Embedding<f32>>,
}

/// Creates the job.
pub fn job(workload: &Workload) -> Box<dyn Job> {
    let mut layer = Embedding::zeros(TOKENS, workload.units);
    fill(&mut layer);
    let layout = Layout::new(STEPS, workload.batch);
    // The ids of neighbouring steps are far apart, and each occurs several times.
    let ids = (0..layout.columns()).map(|column| 7_919 * column % TOKENS).collect();
    let ids = Tokens::new(ids, layout).expect("one id per column");
    let mut y = Sequences::default();
    let mut d_y = layer.forward(&ids, &mut (), &mut y, &mut Pass::Infer).clone();
    fill_d_output(&mut d_y);
    let gradients = Gradients::zeros(&layer);
    Box::new(EmbeddingJob { layer, ids, y, d_y, gradients })
}

impl Job for EmbeddingJob {
    fn restart(&mut self) {}

    fn step(&mut self) {
        let EmbeddingJob { layer, ids, y, d_y, gradients } = self;
        layer.forward(ids, &mut (), y, &mut Pass::Infer);
        layer.backward(ids, y, Some(d_y), &mut (), gradients.replace(), None);
    }

    fn values(&self) -> Vec<f32> {
        // The sum of the gradients alone would not depend on the ids.
        let d_weight = &self.gradients.values().weight;
        vec![scaled_product(self.y.values(), self.d_y.values()), scaled_product(d_weight, &self.layer.weight)]
    }
}
