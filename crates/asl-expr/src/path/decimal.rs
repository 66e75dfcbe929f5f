//! Exact comparison of decimal numbers, read as Java's `BigDecimal` reads them.

use std::cmp::Ordering;

/// A decimal number of any precision, to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero. The value is `0.digits` times ten to the `point`.
    digits: String,
    point: i64,
}

impl Decimal {
    /// Reads `-1.5e3`. `Err` is the text of Java's `NumberFormatException`, where it has one.
    pub(super) fn parse(text: &str) -> Result<Decimal, String> {
        let (negative, unsigned) = match text.as_bytes().first() {
            None => return Err("The empty text is not a number".into()),
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            Some(_) => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let mut digits = String::with_capacity(mantissa.len());
        let mut point = None;
        for c in mantissa.chars() {
            match c {
                '0'..='9' => digits.push(c),
                '.' if point.is_none() => point = Some(digits.len()),
                '.' => return Err("Character array contains more than one decimal point.".into()),
                // Java reads short texts and long ones by different loops.
                _ if unsigned.len() > 18 => {
                    return Err("Character array is missing \"e\" notation exponential mark.".into());
                }
                _ => {
                    let known = "neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.";
                    return Err(format!("Character {c} is {known}"));
                }
            }
        }
        let exponent = exponent.map_or(Ok(0), parse_exponent)?;
        if digits.is_empty() {
            return Err("No digits found.".into());
        }
        let significant = digits.trim_start_matches('0');
        let point = point.unwrap_or(digits.len()) as i64 - (digits.len() - significant.len()) as i64 + exponent;
        let digits = significant.trim_end_matches('0').to_owned();
        Ok(Decimal {
            negative: negative && !digits.is_empty(),
            point: if digits.is_empty() { 0 } else { point },
            digits,
        })
    }
}

fn parse_exponent(text: &str) -> Result<i64, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() {
        return Err("The exponent of the number has no digits".into());
    }
    if !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Err("Not a digit.".into());
    }
    let significant = unsigned.trim_start_matches('0');
    if significant.len() > 10 {
        return Err("Too many nonzero exponent digits.".into());
    }
    let size: i64 = if significant.is_empty() { 0 } else { significant.parse().map_err(|_| "Not a digit.")? };
    Ok(if text.starts_with('-') { -size } else { size })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = |d: &Decimal| if d.digits.is_empty() { 0 } else { 1 - 2 * i8::from(d.negative) };
        sign(self).cmp(&sign(other)).then_with(|| {
            let size = self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
            if self.negative { size.reverse() } else { size }
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
