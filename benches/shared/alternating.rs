//! Two kinds of steps, timed alternately.

use std::time::{Duration, Instant};

/// Number of rounds per kind.
pub const ROUNDS: usize = 15;
/// Minimum duration of a round: much longer than the clock's overhead.
const ROUND: Duration = Duration::from_millis(20);

/// Times two kinds of steps alternately and prints a row of the table.
pub fn compare(workload: &str, mut first: impl FnMut(), mut second: impl FnMut()) {
    let mut repeats = 1;
    while time(repeats, &mut first) * (repeats as u32) < ROUND {
        repeats *= 2;
    }
    report(workload, (0..ROUNDS).map(|_| [time(repeats, &mut first), time(repeats, &mut second)]).collect());
}

/// Prints a row of the table: the median time of each kind, and the median ratio of the rounds.
pub fn report(workload: &str, mut rounds: Vec<[Duration; 2]>) {
    rounds.sort_by(|a, b| {
        (a[1].as_secs_f64() / a[0].as_secs_f64()).total_cmp(&(b[1].as_secs_f64() / b[0].as_secs_f64()))
    });
    let ratio = rounds[ROUNDS / 2][1].as_secs_f64() / rounds[ROUNDS / 2][0].as_secs_f64();
    let median = |kind: usize| {
        let mut times: Vec<Duration> = rounds.iter().map(|round| round[kind]).collect();
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    println!("| {workload} | {:.2?} | {:.2?} | {ratio:.3} |", median(0), median(1));
}

/// Average time of a step over `repeats` steps.
pub fn time(repeats: usize, step: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..repeats {
        step();
    }
    start.elapsed() / repeats as u32
}
