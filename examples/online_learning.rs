//! Learning from a stream that never ends, in constant memory.
//!
//! A sensor gives one value at each step. A small GRU predicts the next one and learns at the same time: after every 20 steps it makes
//! one update with the gradient of these steps, and then forgets them. The hidden state goes on. Half-way, what makes the signal
//! changes, and the network adapts.
//!
//! ```sh
//! cargo run --example online_learning
//! ```
//!
//! It takes less than a second for 400,000 steps. Expect a root mean square error that falls to a tenth of that of repeating the last
//! value, rises at the change, and falls again. After the first updates no memory is allocated: the program counts the allocations.

use longhand::prelude::*;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::alloc::{GlobalAlloc, Layout as MemoryLayout, System};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Steps between two updates.
const WINDOW: usize = 20;
const UPDATES: usize = 20_000;
/// Updates per row of the table.
const PER_ROW: usize = 2_000;

/// The allocator of the system, which counts.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: each call is passed on to the system's allocator as it is.
#[expect(unsafe_code, reason = "a global allocator cannot be written without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: MemoryLayout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: MemoryLayout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A sensor: two oscillations with some noise, whose periods change half-way.
struct Sensor {
    phases: [f32; 2],
    generator: ChaCha8Rng,
}

impl Sensor {
    fn next(&mut self, has_changed: bool) -> f32 {
        let periods = if has_changed { [11.0, 37.0] } else { [17.0, 5.0] };
        for (phase, period) in self.phases.iter_mut().zip(periods) {
            *phase = (*phase + 1.0 / period) % 1.0;
        }
        let [first, second] = self.phases.map(|phase| (std::f32::consts::TAU * phase).sin());
        first * (1.0 + 0.5 * second) + self.generator.random_range(-0.05..0.05)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut g = ChaCha8Rng::seed_from_u64(1);
    let mut model = Gru::<f32>::new(1, 24, &mut g).then(Linear::new(24, 1, &mut g))?;
    let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    // The carry goes on from one call to the next.
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep)).continuing();
    let mut optimizer = Adam::new();

    let mut sensor = Sensor { phases: [0.0; 2], generator: ChaCha8Rng::seed_from_u64(2) };
    let mut values = [0.0; WINDOW + 1];
    let mut inputs = Sequences::from_fn(1, WINDOW, 1, |_, _, _| 0.0);
    let mut targets = inputs.clone();

    println!("| steps | error of the prediction | error of the last value | allocations |\n|---:|---:|---:|---:|");
    let (mut squares, mut squares_of_last, mut allocations) = (0.0, 0.0, ALLOCATIONS.load(Ordering::Relaxed));
    for update in 1..=UPDATES {
        values[0] = values[WINDOW];
        for value in &mut values[1..] {
            *value = sensor.next(update > UPDATES / 2);
        }
        for (step, pair) in values.windows(2).enumerate() {
            (inputs.at_mut(step, 0)[0], targets.at_mut(step, 0)[0]) = (pair[0], pair[1]);
            squares_of_last += (pair[1] - pair[0]).powi(2) / WINDOW as f32;
        }
        // The loss is that of predictions that were made before the update.
        let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &inputs, targets: &targets })?;
        squares += loss;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 0.003);

        if update % PER_ROW == 0 {
            let now = ALLOCATIONS.load(Ordering::Relaxed);
            let [error, of_last] = [squares, squares_of_last].map(|squares: f32| (squares / PER_ROW as f32).sqrt());
            let change = if update == UPDATES / 2 + PER_ROW { " (the signal has changed)" } else { "" };
            println!("| {}{change} | {error:.3} | {of_last:.3} | {} |", update * WINDOW, now - allocations);
            (squares, squares_of_last, allocations) = (0.0, 0.0, ALLOCATIONS.load(Ordering::Relaxed));
        }
    }
    Ok(())
}
