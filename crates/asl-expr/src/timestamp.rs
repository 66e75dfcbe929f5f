//! Points in time, as ASL writes them.

use std::fmt;
use std::str::FromStr;

const SECS_A_DAY: i64 = 86_400;
/// The widest offset from UTC that AWS (Java) knows, in minutes.
const MAX_OFFSET_MINUTES: i64 = 18 * 60;

/// A point in time, to the nanosecond. Two texts with different offsets can be the same point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    secs: i64,
    /// What is left, below 10^9.
    nanos: u32,
}

/// A text that is not a timestamp of the ASL profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp like 2016-03-14T01:59:00Z or 2016-03-14T01:59:00.123+02:00")]
pub struct TimestampError;

impl Timestamp {
    /// Reads a timestamp of the ASL profile (ASL spec, "Timestamps"): RFC 3339 with an upper-case `T`, and an upper-case `Z`
    /// where there is no numeric offset. Digits of the fraction beyond the ninth are dropped.
    ///
    /// # Errors
    /// When the text is anything else, or names a day or time that does not exist.
    pub fn parse(text: &str) -> Result<Timestamp, TimestampError> {
        parse(text).ok_or(TimestampError)
    }

    /// The point `ms` milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_millis(ms: i64) -> Timestamp {
        Timestamp { secs: ms.div_euclid(1000), nanos: ms.rem_euclid(1000) as u32 * 1_000_000 }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, rounded down; the nearest that 64 bits hold when it is further away.
    pub fn millis(self) -> i64 {
        let ms = i128::from(self.secs) * 1000 + i128::from(self.nanos / 1_000_000);
        ms.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The point `ms` milliseconds later (earlier when negative); `None` when that is out of range.
    pub fn checked_add_ms(self, ms: i64) -> Option<Timestamp> {
        let delta = Timestamp::from_millis(ms);
        let nanos = self.nanos + delta.nanos;
        let secs = self.secs.checked_add(delta.secs)?.checked_add(i64::from(nanos / 1_000_000_000))?;
        Some(Timestamp { secs, nanos: nanos % 1_000_000_000 })
    }

    /// The point `ms` milliseconds later; as far as timestamps reach when that is out of range.
    pub fn plus_ms(self, ms: i64) -> Timestamp {
        let end = if ms < 0 { i64::MIN } else { i64::MAX };
        self.checked_add_ms(ms).unwrap_or(Timestamp { secs: end, nanos: 0 })
    }

    /// The same point without its fraction of a second (AWS cuts the timestamps that a Wait waits for).
    pub fn whole_seconds(self) -> Timestamp {
        Timestamp { secs: self.secs, nanos: 0 }
    }

    /// The text the AWS CLI prints, in UTC: `2016-03-14T01:59:00.120000+00:00`, the fraction left out when it is 0.
    pub fn to_cli_string(self) -> String {
        let whole = self.whole_seconds().to_string();
        let whole = whole.trim_end_matches('Z');
        match self.nanos / 1000 {
            0 => format!("{whole}+00:00"),
            micros => format!("{whole}.{micros:06}+00:00"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        Timestamp::parse(text)
    }
}

/// ISO-8601 in UTC, with as few of 0, 3, 6 or 9 digits of fraction as are needed: `2016-03-14T01:59:00.120Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.secs.div_euclid(SECS_A_DAY));
        let second = self.secs.rem_euclid(SECS_A_DAY);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            // More than four digits need a sign in ISO-8601.
            _ => write!(f, "{year:+05}")?,
        }
        write!(f, "-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)?;
        match self.nanos {
            0 => f.write_str("Z"),
            n if n % 1_000_000 == 0 => write!(f, ".{:03}Z", n / 1_000_000),
            n if n % 1000 == 0 => write!(f, ".{:06}Z", n / 1000),
            n => write!(f, ".{n:09}Z"),
        }
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(11)?;
    let [year, month, day] = fields(date.strip_suffix('T')?, '-', [4, 2, 2])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(fraction) => fraction_nanos(fraction)?,
        None => (0, rest),
    };
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let local = days_from_civil(year, month, day) * SECS_A_DAY + hour * 3600 + minute * 60 + second;
    Some(Timestamp { secs: local - offset_minutes(zone)? * 60, nanos })
}

/// Numbers of exactly so many digits, with a separator between them.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut out = [0; N];
    for (value, width) in out.iter_mut().zip(widths) {
        let part = parts.next().filter(|p| p.len() == width && p.bytes().all(|b| b.is_ascii_digit()))?;
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

/// The fraction at the start of `text` in nanoseconds, and what follows it.
fn fraction_nanos(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let nanos = format!("{:0<9.9}", digits).parse().ok()?;
    if digits.is_empty() { None } else { Some((nanos, rest)) }
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let [hours, minutes] = fields(&zone[1..], ':', [2, 2])?;
    let offset = hours * 60 + minutes;
    (minutes < 60 && offset <= MAX_OFFSET_MINUTES).then_some(sign * offset)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day is a year's last; 400 years repeat.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The year, month and day of a day since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
