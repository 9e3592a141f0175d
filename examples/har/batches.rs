//! Converts windows of recordings to batches of sequences, the input of layers.

use longhand::{Layout, Sequences};
use longhand_data::Windows;

/// Writes `values`, which are stored step by step, to one sequence of a batch.
pub fn write_sequence(values: &[f32], sequence: usize, batch: &mut Sequences<f32>) {
    let features = batch.features();
    for (step, features) in values.chunks_exact(features).enumerate() {
        batch.at_mut(step, sequence).copy_from_slice(features);
    }
}

/// Packs all windows in order into batches of at most `size` sequences, each `channels x (steps * batch)`.
pub fn in_order(windows: &Windows, size: usize) -> Vec<Sequences<f32>> {
    let all: Vec<usize> = (0..windows.len()).collect();
    let batch = |chosen: &[usize]| {
        let mut batch = Sequences::zeros(windows.channel_count(), Layout::new(windows.steps, chosen.len()));
        for (sequence, &window) in chosen.iter().enumerate() {
            write_sequence(windows.window(window), sequence, &mut batch);
        }
        batch
    };
    all.chunks(size).map(batch).collect()
}
