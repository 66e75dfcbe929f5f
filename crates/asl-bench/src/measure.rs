//! Time and memory.

use std::time::{Duration, Instant};

/// How often something happens in a second: it runs for about `slice`, five times; the median counts, so a moment in which the
/// machine does something else does not.
pub(crate) fn per_second(slice: Duration, mut work: impl FnMut() -> u64) -> f64 {
    work();
    let mut rates: Vec<f64> = (0..5)
        .map(|_| {
            let (start, mut done) = (Instant::now(), 0);
            while start.elapsed() < slice {
                done += work();
            }
            done as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    median(&mut rates)
}

/// The value in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value below which that part of the values lies.
pub(crate) fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len() as f64 - 1.0) * part).round() as usize).copied().unwrap_or(f64::NAN)
}

/// A field of `/proc/self/status` in bytes; `None` where there is none (not Linux).
pub(crate) fn status_bytes(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb * 1024)
}

/// How much the resident memory of this process grew at most while `work` ran, in bytes; `None` where the system does not
/// count it (not Linux).
pub(crate) fn peak_growth<T>(work: impl FnOnce() -> T) -> Option<(T, u64)> {
    // Makes the peak start again from what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = status_bytes("VmRSS:")?;
    let value = work();
    let peak = status_bytes("VmHWM:")?;
    Some((value, peak.saturating_sub(before)))
}

/// How many bytes this process has sent to the disk; 0 where nobody counts them.
pub(crate) fn io_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// The processor time of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let schedstat = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |thread: std::fs::DirEntry| -> Option<f64> {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    schedstat.filter_map(of).sum::<f64>() / 1e9
}
