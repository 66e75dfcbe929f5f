//! Dates as JavaScript's `Date` counts them, in UTC: milliseconds since 1970 that may be no number.

const DAY_MS: f64 = 86_400_000.0;
/// The furthest a date may be.
const MOST_MS: f64 = 8.64e15;

/// The fields of a time. Of a time that is none, every field is NaN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    ms: f64,
    pub(super) year: f64,
    /// From 0.
    pub(super) month: f64,
    pub(super) day: f64,
}

/// Days since 1970 as year, month from 0, and day, in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 2 } else { shifted - 10 };
    (year + era * 400 + i64::from(month <= 1), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The days from 1970 to a date; months may be too many or negative.
fn days(year: f64, month: f64, day: f64) -> f64 {
    let (year, month) = (year + (month / 12.0).floor(), month.rem_euclid(12.0));
    if year.is_nan() || month.is_nan() || year.abs() > 400_000.0 {
        return f64::NAN;
    }
    let (year, month) = (year as i64, month as i64);
    let year = if month <= 1 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = (month + 10) % 12;
    let of_year = (153 * shifted + 2) / 5;
    let first = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    first as f64 + day - 1.0
}

/// `Date.UTC`, for which the years 0 to 99 are in the twentieth century.
pub(super) fn utc(date: [f64; 3], time: [f64; 4]) -> f64 {
    let [year, month, day] = date.map(f64::trunc);
    let [hour, minute, second, ms] = time.map(f64::trunc);
    let year = if (0.0..=99.0).contains(&year) { year + 1900.0 } else { year };
    clip(days(year, month, day) * DAY_MS + hour * 3_600_000.0 + minute * 60_000.0 + second * 1000.0 + ms)
}

fn clip(ms: f64) -> f64 {
    if ms.abs() <= MOST_MS { ms } else { f64::NAN }
}

impl Fields {
    pub(super) fn of(ms: f64) -> Fields {
        let ms = clip(ms.trunc());
        if ms.is_nan() {
            return Fields { ms, year: ms, month: ms, day: ms };
        }
        let (year, month, day) = civil((ms / DAY_MS).floor() as i64);
        Fields { ms, year: year as f64, month: month as f64, day: day as f64 }
    }

    /// The fraction of the day, in units of `unit_ms` of which `count` make the next one.
    fn clock(&self, unit_ms: f64, count: f64) -> f64 {
        (self.ms.rem_euclid(DAY_MS) / unit_ms).floor() % count
    }

    /// Sunday is 7.
    fn weekday(&self) -> f64 {
        let day = ((self.ms / DAY_MS).floor() + 4.0).rem_euclid(7.0);
        if day == 0.0 { 7.0 } else { day }
    }

    /// A component of the pictures of XPath; `None` for those that have no value of their own.
    pub(super) fn component(&self, letter: char) -> Option<f64> {
        let today = utc([self.year, self.month, self.day], [0.0; 4]);
        Some(match letter {
            'Y' => self.year,
            'M' => self.month + 1.0,
            'D' => self.day,
            'd' => (today - utc([self.year, 0.0, 1.0], [0.0; 4])) / DAY_MS + 1.0,
            'F' => self.weekday(),
            'W' => week([self.year, 0.0], 12.0, today, 52.0),
            'w' => week([self.year, self.month], 1.0, today, 4.0),
            'X' if self.ms < first_week([self.year, 0.0]) => self.year - 1.0,
            'X' if self.ms >= first_week([self.year + 1.0, 0.0]) => self.year + 1.0,
            'X' => self.year,
            'x' if self.ms < first_week([self.year, self.month]) => (self.month + 11.0) % 12.0 + 1.0,
            'x' if self.ms >= first_week([self.year, self.month + 1.0]) => (self.month + 1.0) % 12.0 + 1.0,
            'x' => self.month + 1.0,
            'H' => self.clock(3_600_000.0, 24.0),
            'h' => (self.clock(3_600_000.0, 12.0) + 11.0) % 12.0 + 1.0,
            'm' => self.clock(60_000.0, 60.0),
            's' => self.clock(1000.0, 60.0),
            'f' => self.clock(1.0, 1000.0),
            _ => return None,
        })
    }

    /// True from noon.
    pub(super) fn is_pm(&self) -> bool {
        self.clock(3_600_000.0, 24.0) >= 12.0
    }
}

/// The Monday of the first ISO week of a year or month.
fn first_week([year, month]: [f64; 2]) -> f64 {
    let first = utc([year, month, 1.0], [0.0; 4]);
    let weekday = Fields::of(first).weekday();
    if weekday > 4.0 { first + (8.0 - weekday) * DAY_MS } else { first - (weekday - 1.0) * DAY_MS }
}

/// The number of the week in its year or month of `months` months, which has `most` full weeks.
fn week([year, month]: [f64; 2], months: f64, today: f64, most: f64) -> f64 {
    let weeks = |start: f64| (today - start) / (DAY_MS * 7.0) + 1.0;
    let week = weeks(first_week([year, month]));
    if week > most && today >= first_week([year, month + months]) {
        return 1.0;
    }
    if week < 1.0 { weeks(first_week([year, month - months])).floor() } else { week.floor() }
}

/// `Date.parse` of an ISO 8601 text that [`is_iso`].
pub(super) fn parse_iso(text: &str) -> f64 {
    let (date, rest) = text.split_once('T').map_or((text, None), |(date, rest)| (date, Some(rest)));
    let (zone_at, zone) = match rest {
        Some(rest) => (rest.find(['Z', '+', '-']), rest),
        None => (None, ""),
    };
    let clock = zone_at.map_or(zone, |at| &zone[..at]);
    let zone = zone_at.map_or("", |at| &zone[at..]);
    let numbers = |text: &str, mark: char| -> Vec<f64> {
        text.split(mark).map(|part| part.parse().unwrap_or(f64::NAN)).collect()
    };
    let date = numbers(date, '-');
    let month = date.get(1).copied().unwrap_or(1.0);
    let day = date.get(2).copied().unwrap_or(1.0);
    if date.len() > 3 || !(1.0..=12.0).contains(&month) || !(1.0..=31.0).contains(&day) {
        return f64::NAN;
    }
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let time = if clock.is_empty() { vec![0.0; 3] } else { numbers(clock, ':') };
    let ms = format!("0.{}", fraction.get(..fraction.len().min(3)).unwrap_or_default()).parse::<f64>().unwrap_or(0.0);
    let offset = match zone.as_bytes() {
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let digits: Vec<f64> = rest.iter().filter(|b| b.is_ascii_digit()).map(|b| f64::from(b - b'0')).collect();
            let minutes = digits.iter().zip([600.0, 60.0, 10.0, 1.0]).map(|(digit, unit)| digit * unit).sum::<f64>();
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => 0.0,
    };
    let [hour, minute, second] = time[..] else { return f64::NAN };
    let late = hour > 24.0 || (hour == 24.0 && (minute > 0.0 || second > 0.0 || ms > 0.0));
    if late || minute > 59.0 || second > 59.0 {
        return f64::NAN;
    }
    let days = days(date[0], month - 1.0, day);
    clip(
        days * DAY_MS + hour * 3_600_000.0 + minute * 60_000.0 + second * 1000.0 + (ms * 1000.0).round()
            - offset * 60_000.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for ms in [0.0, -1.0, 1_523_279_254_123.0, 951_782_400_000.0, -62_198_755_200_000.0, MOST_MS, -MOST_MS] {
            let fields = Fields::of(ms);
            let time = ['H', 'm', 's', 'f'].map(|letter| fields.component(letter).unwrap());
            let days = days(fields.year, fields.month, fields.day);
            assert_eq!(days * DAY_MS + time[0] * 3.6e6 + time[1] * 6e4 + time[2] * 1e3 + time[3], ms);
        }
        assert_eq!(parse_iso("2018-04-09T13:07:34.123Z"), 1_523_279_254_123.0);
        assert!(Fields::of(1e300).year.is_nan());
    }
}
