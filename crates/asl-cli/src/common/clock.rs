//! The time, and times in arguments.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time, in epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    At(asl::Timestamp),
    AgoMs(i64),
}

impl Since {
    /// In epoch milliseconds.
    pub(crate) fn ms(self) -> i64 {
        match self {
            Since::At(at) => at.millis(),
            Since::AgoMs(ms) => now_ms() - ms,
        }
    }
}

/// Reads one.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    if let Ok(at) = asl::Timestamp::parse(text).or_else(|_| asl::Timestamp::parse(&format!("{text}T00:00:00Z"))) {
        return Ok(Since::At(at));
    }
    let unit_ms = match text.chars().last() {
        Some('d') => 86_400_000,
        Some('h') => 3_600_000,
        Some('m') => 60_000,
        _ => 0,
    };
    let count = text.get(..text.len().saturating_sub(1)).and_then(|count| count.parse::<u32>().ok());
    match count.filter(|_| unit_ms > 0) {
        Some(count) => Ok(Since::AgoMs(i64::from(count) * unit_ms)),
        None => Err("a date, a time, or a number of days, hours or minutes such as 30d".to_owned()),
    }
}
