//! Times as AWS's protocols write them.

use crate::model::TimeFormat;
use asl_value::{Number, Value};
use std::fmt;

/// A point in time, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970, rounded down.
    pub seconds: i64,
    /// Nanoseconds beyond that.
    pub nanos: u32,
}

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
/// From year 0 to 9999: beyond that no form has a text.
const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// The days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of the days since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

impl Timestamp {
    /// The time of milliseconds since 1970.
    pub fn from_ms(ms: i64) -> Timestamp {
        Timestamp { seconds: ms.div_euclid(1000), nanos: ms.rem_euclid(1000) as u32 * 1_000_000 }
    }

    /// Milliseconds since 1970.
    pub fn as_ms(self) -> i64 {
        self.seconds * 1000 + i64::from(self.nanos / 1_000_000)
    }

    /// The time of seconds since 1970, to the microsecond; `None` outside of the years 0 to 9999.
    pub fn from_seconds(seconds: f64) -> Option<Timestamp> {
        let whole = seconds.floor();
        let fits = whole.is_finite() && RANGE.contains(&(whole as i64));
        let micros = ((seconds - whole) * 1e6).round() as u32;
        fits.then_some(Timestamp {
            seconds: whole as i64 + i64::from(micros / 1_000_000),
            nanos: micros % 1_000_000 * 1000,
        })
    }

    /// Reads any of the three forms: ISO 8601 with an offset, RFC 822, or seconds since 1970.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if text.len() > 64 {
            return None;
        }
        if let Some(number) = Number::parse(text) {
            return Timestamp::from_seconds(number.as_f64());
        }
        if text.as_bytes().first()?.is_ascii_digit() { iso(text) } else { rfc(text) }
    }

    /// The time a JSON value means.
    pub fn of(value: &Value) -> Option<Timestamp> {
        match value {
            Value::String(text) => Timestamp::parse(text),
            Value::Number(number) => Timestamp::from_seconds(number.as_f64()),
            _ => None,
        }
    }

    fn clock(self) -> (i64, i64, i64) {
        let second = self.seconds.rem_euclid(DAY);
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// `20260828T203459Z`, as signatures have it.
    pub fn basic(self) -> String {
        let ((year, month, day), (hour, minute, second)) = (date(self.seconds.div_euclid(DAY)), self.clock());
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// The text of one of the forms. ISO 8601 has microseconds where there are any.
    pub fn text(self, format: TimeFormat) -> String {
        let ((year, month, day), (hour, minute, second)) = (date(self.seconds.div_euclid(DAY)), self.clock());
        match format {
            TimeFormat::Iso8601 if self.nanos > 0 => {
                let micros = self.nanos / 1000;
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
            }
            TimeFormat::Iso8601 => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            TimeFormat::Rfc822 => {
                let weekday = WEEKDAYS[self.seconds.div_euclid(DAY).rem_euclid(7) as usize];
                let month = MONTHS[month as usize - 1];
                format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
            }
            TimeFormat::Unix => self.number().to_string(),
        }
    }

    /// Seconds since 1970: an integer where it is one.
    pub fn number(self) -> Value {
        if self.nanos == 0 {
            return Value::from(self.seconds);
        }
        Value::from((self.seconds as f64 * 1e6 + f64::from(self.nanos / 1000)) / 1e6)
    }
}

impl fmt::Display for Timestamp {
    /// As results have it, which is Java's way: `2026-08-28T20:34:59.712Z`, with as many groups of three digits as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Timestamp { nanos: 0, ..*self }.text(TimeFormat::Iso8601);
        let whole = whole.trim_end_matches('Z');
        match self.nanos {
            0 => write!(f, "{whole}Z"),
            n if n % 1_000_000 == 0 => write!(f, "{whole}.{:03}Z", n / 1_000_000),
            n if n % 1000 == 0 => write!(f, "{whole}.{:06}Z", n / 1000),
            n => write!(f, "{whole}.{n:09}Z"),
        }
    }
}

fn digits(text: &str, many: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let good = many.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if good { text.parse().ok() } else { None }
}

fn at(date: (i64, i64, i64), clock: &str, offset: i64) -> Option<Timestamp> {
    let (year, month, day) = date;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?, 2..=2)?, digits(parts.next()?, 2..=2)?);
    let second = parts.next().map_or(Some(0), |s| digits(s, 2..=2))?;
    let nanos = if fraction.is_empty() { 0 } else { digits(fraction, 1..=9)? * 10i64.pow(9 - fraction.len() as u32) };
    let good = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    (good && RANGE.contains(&seconds)).then_some(Timestamp { seconds, nanos: nanos as u32 })
}

/// Seconds of `Z`, `+02:00` or `-0700`.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'Z' | b'z' if text.len() == 1 => return Some(0),
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let packed = rest.replace(':', "");
    let number = digits(&packed, 4..=4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

fn iso(text: &str) -> Option<Timestamp> {
    let (day, clock) = match text.split_once(['T', 't', ' ']) {
        Some((day, clock)) => (day, clock),
        None => (text, "00:00:00Z"),
    };
    let mut parts = day.splitn(3, '-');
    let date = (digits(parts.next()?, 4..=4)?, digits(parts.next()?, 2..=2)?, digits(parts.next()?, 2..=2)?);
    let end = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let zone = if end == clock.len() { 0 } else { offset(&clock[end..])? };
    at(date, &clock[..end], zone)
}

fn rfc(text: &str) -> Option<Timestamp> {
    let rest = text.split_once(", ").map_or(text, |(_, rest)| rest);
    let mut words = rest.split([' ', '-']).filter(|w| !w.is_empty());
    let day = digits(words.next()?, 1..=2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))? as i64 + 1;
    let year = digits(words.next()?, 4..=4)?;
    let clock = words.next()?;
    let zone = match words.next() {
        None | Some("GMT" | "UTC" | "Z") => 0,
        Some(zone) => offset(zone)?,
    };
    at((year, month, day), clock, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_forms_are_read() {
        let at = Timestamp { seconds: 1_787_949_299, nanos: 712_000_000 };
        assert_eq!(at.to_string(), "2026-08-28T20:34:59.712Z");
        assert_eq!(Timestamp::parse("2026-08-28T22:34:59.712+02:00"), Some(at));
        assert_eq!(Timestamp::parse("1787949299.712"), Some(at));
        let whole = Timestamp { nanos: 0, ..at };
        assert_eq!(whole.text(TimeFormat::Rfc822), "Fri, 28 Aug 2026 20:34:59 GMT");
        assert_eq!(Timestamp::parse("Fri, 28 Aug 2026 20:34:59 GMT"), Some(whole));
        assert_eq!(whole.basic(), "20260828T203459Z");
        assert_eq!(Timestamp::parse("2026-08-28").map(|t| t.to_string()).as_deref(), Some("2026-08-28T00:00:00Z"));
        for bad in
            ["", "soon", "2026-13-01T00:00:00Z", "2026-08-28T25:00:00Z", "1e400", "Fri, 28 Foo 2026 20:34:59 GMT"]
        {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in -62_000_000_000_000i64..253_000_000_000_000) {
            let at = Timestamp::from_ms(ms);
            prop_assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
            prop_assert_eq!(Timestamp::parse(&at.text(TimeFormat::Iso8601)), Some(at));
            prop_assert_eq!(Timestamp::parse(&at.text(TimeFormat::Rfc822)).map(|t| t.seconds), Some(at.seconds));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
