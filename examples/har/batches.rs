//! Windows of recordings as the batches of sequences that layers take.

use longhand::{Layout, Sequences};
use longhand_data::Windows;

/// Puts windows side by side as one batch: `channels x (steps * batch)`, reusing the memory of `batch`.
pub fn gather(windows: &Windows, chosen: &[usize], batch: &mut Sequences<f32>) {
    let channels = windows.channel_count();
    batch.reshape(channels, &Layout::new(windows.steps, chosen.len()));
    for (sequence, &index) in chosen.iter().enumerate() {
        for (step, sample) in windows.window(index).chunks_exact(channels).enumerate() {
            batch.at_mut(step, sequence).copy_from_slice(sample);
        }
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

/// Puts `joined` steps below one another as one: `(joined * features) x (steps / joined * batch)`.
pub fn join_samples(samples: &Sequences<f32>, joined: usize, batch: &mut Sequences<f32>) {
    let features = samples.features();
    batch.reshape(joined * features, &Layout::new(samples.steps() / joined, samples.batch()));
    for sequence in 0..batch.batch() {
        for step in 0..batch.steps() {
            for (place, part) in batch.at_mut(step, sequence).chunks_exact_mut(features).enumerate() {
                part.copy_from_slice(samples.at(step * joined + place, sequence));
            }
        }
    }
}
