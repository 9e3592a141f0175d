//! Windows of recordings as the batches of sequences that layers take.

use longhand::{Layout, Sequences};
use longhand_data::Windows;

/// Puts windows side by side as one batch: `channels x (steps * batch)`, reusing the memory of `batch`.
pub fn gather(windows: &Windows, chosen: &[usize], batch: &mut Sequences<f32>) {
    batch.reshape(windows.channel_count(), &Layout::new(windows.steps, chosen.len()));
    for (sequence, &index) in chosen.iter().enumerate() {
        put(windows.window(index), sequence, batch);
    }
}

/// Puts values that lie step by step in the place of one sequence of a batch.
pub fn put(values: &[f32], sequence: usize, batch: &mut Sequences<f32>) {
    let features = batch.features();
    for (step, features) in values.chunks_exact(features).enumerate() {
        batch.at_mut(step, sequence).copy_from_slice(features);
    }
}

/// All windows in order, in batches of at most `size`.
pub fn in_order(windows: &Windows, size: usize) -> Vec<Sequences<f32>> {
    let all: Vec<usize> = (0..windows.len()).collect();
    let batch = |chosen: &[usize]| {
        let mut batch = Sequences::default();
        gather(windows, chosen, &mut batch);
        batch
    };
    all.chunks(size).map(batch).collect()
}
