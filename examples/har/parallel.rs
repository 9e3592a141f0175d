//! Independent jobs on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs every job on `threads` threads, the dearest first, and gives the results in the jobs' order.
///
/// Each job gets only itself and its number, so its result does not depend on how many threads there are.
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
