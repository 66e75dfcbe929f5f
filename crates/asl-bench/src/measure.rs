//! Time and memory.

use nix::sys::resource::{UsageWho, getrusage};
use std::time::{Duration, Instant};

/// How often each of some things happens in a second. They take turns of about `slice`, five times, so a moment in which the
/// machine does something else meets one round of them; each says how much it has done.
pub(crate) fn in_turns<const N: usize>(slice: Duration, works: [&mut dyn FnMut() -> u64; N]) -> Vec<[f64; N]> {
    let mut works = works;
    // What is made once is made.
    for work in &mut works {
        work();
    }
    let mut round = || {
        works.each_mut().map(|work| {
            let (start, mut done) = (Instant::now(), 0);
            while start.elapsed() < slice {
                done += work();
            }
            done as f64 / start.elapsed().as_secs_f64()
        })
    };
    (0..5).map(|_| round()).collect()
}

/// How often something happens in a second: the median of five slices.
pub(crate) fn per_second(slice: Duration, mut work: impl FnMut() -> u64) -> f64 {
    let mut rates: Vec<f64> = in_turns(slice, [&mut work]).into_iter().flatten().collect();
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

/// How often what is compared is measured where a round is long: each time everything, so that a moment in which the disk or
/// the machine does something else meets one round and not one side.
pub(crate) const ROUNDS: usize = 3;

/// A figure and its ceiling, of rounds in which both were measured one after the other: those of the round whose ratio is in
/// the middle.
pub(crate) fn middle(pairs: impl IntoIterator<Item = (f64, f64)>) -> (f64, f64) {
    let mut pairs: Vec<(f64, f64)> = pairs.into_iter().collect();
    pairs.sort_by(|(a, b), (c, d)| (a / b).total_cmp(&(c / d)));
    pairs.get(pairs.len() / 2).copied().unwrap_or((f64::NAN, f64::NAN))
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

/// How many processes wanted to run in the last minute; `None` where nobody counts them.
pub(crate) fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// How many bytes this process has sent to the disk; 0 where nobody counts them.
pub(crate) fn io_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// The processor time of this process so far, of threads that have ended too, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return f64::NAN };
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// The most memory that was resident for any child of this process that has ended, or for this process when it made it; in
/// bytes.
pub(crate) fn peak_of_children() -> u64 {
    // Linux and the BSDs count in kilobytes, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .ok()
        .and_then(|usage| u64::try_from(usage.max_rss()).ok())
        .map_or(0, |n| n * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_was_disturbed_does_not_count() {
        // In the first the disk was slow while the ceiling was measured, in the last while ours was.
        assert_eq!(middle([(90.0, 10.0), (80.0, 100.0), (8.0, 100.0)]), (80.0, 100.0));
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|part| percentile(&mut values, part)), [1.0, 3.0, 5.0, 5.0]);
    }
}
