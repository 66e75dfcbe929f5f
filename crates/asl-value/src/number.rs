//! Numbers: exact integers of any size, and doubles.

use crate::shortest;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A JSON number as AWS keeps it: integers exact, anything with a fraction or an exponent a double.
#[derive(Clone, Debug)]
pub enum Number {
    /// An integer that fits 64 bits.
    Int(i64),
    /// A number written with a fraction or an exponent; always finite.
    Float(f64),
    /// An integer beyond 64 bits, kept as its digits (optional `-`, no leading zeros).
    Big(Arc<Box<str>>),
}

impl Number {
    /// Reads the text of a JSON number. `None` when it is not one, or not finite.
    pub fn parse(text: &str) -> Option<Number> {
        if !is_json_number(text) {
            return None;
        }
        if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
            return text.parse().ok().and_then(Number::from_f64);
        }
        match text.parse::<i64>() {
            Ok(i) => Some(Number::Int(i)),
            Err(_) => Some(Number::Big(Arc::new(text.into()))),
        }
    }

    /// A double as a number; `None` for NaN and the infinities, which JSON cannot carry.
    pub fn from_f64(f: f64) -> Option<Number> {
        f.is_finite().then_some(Number::Float(f))
    }

    /// The value as a double (an integer beyond 2^53 is rounded).
    pub fn as_f64(&self) -> f64 {
        match self {
            Number::Int(i) => *i as f64,
            Number::Float(f) => *f,
            Number::Big(digits) => digits.parse().unwrap_or(f64::NAN),
        }
    }

    /// The value as a 64-bit integer, when it is written as an integer and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// True when both are written alike: `1` and `1.0` are not.
    pub(crate) fn same_text(&self, other: &Number) -> bool {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a == b,
            // Every double has a text of its own.
            (Number::Float(a), Number::Float(b)) => a.to_bits() == b.to_bits(),
            (Number::Big(a), Number::Big(b)) => a == b,
            _ => false,
        }
    }

    /// True for numbers written without a fraction or an exponent.
    pub fn is_integer(&self) -> bool {
        !matches!(self, Number::Float(_))
    }

    /// Mathematical order: `1`, `1.0` and `1e0` are equal, `-0.0` equals `0`.
    pub fn compare(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(b),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Number::Int(a), Number::Float(b)) => compare_int_float(*a, *b),
            (Number::Float(a), Number::Int(b)) => compare_int_float(*b, *a).reverse(),
            (Number::Big(a), Number::Big(b)) => compare_digits(a, b),
            (Number::Big(a), Number::Int(_)) => big_sign(a),
            (Number::Int(_), Number::Big(b)) => big_sign(b).reverse(),
            (Number::Big(_), Number::Float(b)) => self.as_f64().partial_cmp(b).unwrap_or(Ordering::Equal),
            (Number::Float(a), Number::Big(_)) => a.partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
        }
    }
}

/// `-? (0 | [1-9][0-9]*) frac? exp?`, the grammar of RFC 8259.
fn is_json_number(text: &str) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let digits = |r: &[u8]| r.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let [b'.', tail @ ..] = rest {
        let n = digits(tail);
        if n == 0 {
            return false;
        }
        rest = &tail[n..];
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let tail = if let [b'+' | b'-', t @ ..] = tail { t } else { tail };
        let n = digits(tail);
        return n > 0 && n == tail.len();
    }
    rest.is_empty()
}

/// Exact also where the integer has more bits than a double.
fn compare_int_float(i: i64, f: f64) -> Ordering {
    if f >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if f < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let whole = f.trunc();
    i.cmp(&(whole as i64)).then_with(|| 0.0_f64.partial_cmp(&(f - whole)).unwrap_or(Ordering::Equal))
}

fn big_sign(digits: &str) -> Ordering {
    if digits.starts_with('-') { Ordering::Less } else { Ordering::Greater }
}

fn compare_digits(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (Some(a), Some(b)) => b.len().cmp(&a.len()).then_with(|| b.cmp(a)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl From<i64> for Number {
    fn from(i: i64) -> Number {
        Number::Int(i)
    }
}

impl From<u64> for Number {
    fn from(u: u64) -> Number {
        i64::try_from(u).map_or_else(|_| Number::Big(Arc::new(u.to_string().into())), Number::Int)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(i) => write!(f, "{i}"),
            Number::Big(digits) => f.write_str(digits),
            Number::Float(x) => write_java_double(f, *x),
        }
    }
}

/// Java's `Double.toString`: plain from 10^-3 up to 10^7, else one digit, a fraction and `E`.
fn write_java_double(f: &mut fmt::Formatter<'_>, x: f64) -> fmt::Result {
    let (digits, exponent) = shortest(x);
    if x.is_sign_negative() {
        f.write_str("-")?;
    }
    let (whole, fraction) = match exponent {
        -3..=-1 => (String::from("0"), "0".repeat(exponent.unsigned_abs() as usize - 1) + &digits),
        exponent => {
            let whole = if (0..=6).contains(&exponent) { exponent as usize + 1 } else { 1 };
            let mut padded = format!("{digits:0<whole$}");
            let fraction = padded.split_off(whole);
            (padded, if fraction.is_empty() { "0".to_owned() } else { fraction })
        }
    };
    write!(f, "{whole}.{fraction}")?;
    if (-3..=6).contains(&exponent) { Ok(()) } else { write!(f, "E{exponent}") }
}
