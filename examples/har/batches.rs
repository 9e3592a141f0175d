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
