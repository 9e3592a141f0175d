//! Two kinds of steps, timed alternately.

use std::time::{Duration, Instant};

/// Number of rounds per kind.
pub const ROUNDS: usize = 15;
/// Minimum duration of a round: much longer than the clock's overhead.
const ROUND: Duration = Duration::from_millis(20);

/// Times two kinds of steps alternately and prints a row of the table.
#[allow(dead_code, reason = "not every benchmark compares steps that are built once")]
pub fn compare(workload: &str, mut first: impl FnMut(), mut second: impl FnMut()) {
    let mut repeats = 1;
    while time(repeats, &mut first) * (repeats as u32) < ROUND {
        repeats *= 2;
    }
    report(workload, (0..ROUNDS).map(|_| [time(repeats, &mut first), time(repeats, &mut second)]).collect());
}

/// Like [`compare`], but each round creates both steps anew, at other addresses. The time of a loop of a few microseconds depends
/// by up to 6 % on how its matrices lie relative to cache lines, so a single pair compares addresses rather than programs.
#[allow(dead_code, reason = "not every benchmark compares steps of a few microseconds")]
pub fn compare_anew<A: FnMut(), B: FnMut()>(workload: &str, first: impl Fn() -> A, second: impl Fn() -> B) {
    let mut repeats = 1;
    let mut step = first();
    while time(repeats, &mut step) * (repeats as u32) < ROUND {
        repeats *= 2;
    }
    let mut length = 1;
    let mut memory = || {
        // Multiples of the allocator's 16 bytes, in no simple order.
        length = length * 41 % 1021;
        vec![0_u8; 16 * length]
    };
    // Kept until the end, because the allocator would give their memory to the next round.
    let mut kept = Vec::new();
    let mut round = |number: usize| {
        let (mut a, mut b);
        let before = memory();
        let between;
        if number.is_multiple_of(2) {
            a = first();
            between = memory();
            b = second();
        } else {
            b = second();
            between = memory();
            a = first();
        }
        a();
        b();
        let times = [time(repeats, &mut a), time(repeats, &mut b)];
        kept.push((a, b, before, between));
        times
    };
    // Both orders, equally often.
    report(workload, (0..4 * ROUNDS).map(&mut round).collect());
}

/// Prints a row of the table: the median time of each kind, and the median ratio of the rounds.
pub fn report(workload: &str, mut rounds: Vec<[Duration; 2]>) {
    rounds.sort_by(|a, b| {
        (a[1].as_secs_f64() / a[0].as_secs_f64()).total_cmp(&(b[1].as_secs_f64() / b[0].as_secs_f64()))
    });
    let middle = rounds.len() / 2;
    let ratio = rounds[middle][1].as_secs_f64() / rounds[middle][0].as_secs_f64();
    let median = |kind: usize| {
        let mut times: Vec<Duration> = rounds.iter().map(|round| round[kind]).collect();
        times.sort_unstable();
        times[middle]
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
