//! Runs independent jobs on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs all jobs on `threads` threads, the most expensive first. Returns the results in the order of the jobs.
///
/// `run` gets a job and its index only, so a result does not depend on the number of threads.
pub fn map<J: Sync, R: Send>(
    jobs: &[J],
    threads: usize,
    cost: impl Fn(&J) -> u64,
    run: impl Fn(usize, &J) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&job| std::cmp::Reverse(cost(&jobs[job])));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(jobs.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some(&job) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run(job, &jobs[job]);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((job, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|&(job, _)| job);
    results.into_iter().map(|(_, result)| result).collect()
}
