//! Numbers, and how JavaScript writes them.

use super::{Answer, Call, arg, coded};
use crate::jsonata::value::{List, Val};
use asl_value::shortest;

/// A number as JavaScript's `toString` writes it.
pub(in crate::jsonata) fn text(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Most numbers are whole, and have all of their digits.
    if n.fract() == 0.0 && n.abs() < 1e15 {
        return (n as i64).to_string();
    }
    let sign = if n < 0.0 { "-" } else { "" };
    let (digits, exponent) = shortest(n);
    let (count, point) = (digits.len() as i32, exponent + 1);
    let body = if count <= point && point <= 21 {
        digits + &"0".repeat((point - count) as usize)
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(point as usize);
        format!("{whole}.{fraction}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", "0".repeat(-point as usize))
    } else {
        let (first, rest) = digits.split_at(1);
        let fraction = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        format!("{first}{fraction}e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    };
    format!("{sign}{body}")
}

/// A number as JSON text; what JSON has no word for is null.
pub(in crate::jsonata) fn json(n: f64) -> String {
    if n.is_finite() { text(n) } else { "null".to_owned() }
}

/// A number rounded to 15 significant digits, as `$string` does.
pub(super) fn rounded(n: f64) -> f64 {
    let (digits, _) = shortest(n);
    let count = digits.len();
    if count <= 15 {
        return n;
    }
    // Just between two, JavaScript takes the larger one; the formatting here takes the even one.
    let exact = if count == 16 && digits.ends_with('5') { format!("{n:.60e}") } else { String::new() };
    let rest = exact.split_once('e').and_then(|(digits, _)| digits.split_once('.'));
    let rest = rest.and_then(|(_, fraction)| fraction.get(14..)).unwrap_or("");
    let between = rest.strip_prefix('5').is_some_and(|rest| rest.bytes().all(|b| b == b'0'));
    let n = match between {
        true if n < 0.0 => n.next_down(),
        true => n.next_up(),
        false => n,
    };
    format!("{n:.14e}").parse().unwrap_or(n)
}

/// Writes a number as JSON text, rounded to 15 significant digits.
pub(super) fn write_rounded(n: f64, out: &mut String) {
    let start = out.len();
    out.push_str(&json(n));
    let digits = out[start..].trim_start_matches(['-', '0', '.']).bytes().take_while(|b| *b != b'e');
    if digits.filter(u8::is_ascii_digit).count() > 15 {
        out.truncate(start);
        out.push_str(&json(rounded(n)));
    }
}

/// A numeric argument; `None` when undefined.
pub(super) fn given(args: &[Val], index: usize) -> Option<f64> {
    arg(args, index).as_f64()
}

fn map(args: &[Val], of: impl Fn(f64) -> f64) -> Answer {
    Ok(given(args, 0).map_or(Val::Undefined, |n| Val::Number(of(n))))
}

pub(super) fn abs(_: &Call, args: &[Val]) -> Answer {
    map(args, f64::abs)
}

pub(super) fn floor(_: &Call, args: &[Val]) -> Answer {
    map(args, f64::floor)
}

pub(super) fn ceil(_: &Call, args: &[Val]) -> Answer {
    map(args, f64::ceil)
}

/// Half to even, after shifting the point by way of the decimal text.
pub(super) fn rounded_to(n: f64, precision: f64) -> f64 {
    let shift = |n: f64, by: f64| -> f64 {
        let text = text(n);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent = exponent.parse::<f64>().unwrap_or(0.0) + by;
        format!("{mantissa}e{}", self::text(exponent)).parse().unwrap_or(f64::NAN)
    };
    let shifts = precision != 0.0 && !precision.is_nan();
    let shifted = if shifts { shift(n, precision) } else { n };
    let mut result = (shifted + 0.5).floor();
    if shifted.fract() == 0.0 {
        result = shifted;
    }
    if (result - shifted).abs() == 0.5 && (result % 2.0).abs() == 1.0 {
        result -= 1.0;
    }
    let back = if shifts { shift(result, -precision) } else { result };
    if back == 0.0 { 0.0 } else { back }
}

pub(super) fn round(_: &Call, args: &[Val]) -> Answer {
    let precision = given(args, 1).unwrap_or(0.0);
    map(args, |n| rounded_to(n, precision))
}

pub(super) fn sqrt(_: &Call, args: &[Val]) -> Answer {
    match given(args, 0) {
        Some(n) if n < 0.0 => coded("D3060", &[("value", json(n))]),
        _ => map(args, f64::sqrt),
    }
}

pub(super) fn power(_: &Call, args: &[Val]) -> Answer {
    let (Some(base), exponent) = (given(args, 0), given(args, 1).unwrap_or(f64::NAN)) else {
        return Ok(Val::Undefined);
    };
    // Unlike JavaScript, IEEE 754 has 1 to the power of anything be 1.
    let result = if base.abs() == 1.0 && !exponent.is_finite() { f64::NAN } else { base.powf(exponent) };
    if result.is_finite() {
        return Ok(Val::Number(result));
    }
    let exponent = given(args, 1).map_or("undefined".to_owned(), json);
    coded("D3061", &[("value", json(base)), ("exp", exponent)])
}

/// All items of an array, one after the other.
fn fold(call: &Call, args: &[Val], first: Option<f64>, of: fn(f64, f64) -> f64) -> Answer {
    let Some(list) = arg(args, 0).list() else { return Ok(Val::Undefined) };
    call.run.spend(list.len().saturating_mul(2))?;
    let mut numbers = list.iter().filter_map(|item| item.as_f64());
    let Some(first) = first.or_else(|| numbers.next()) else { return Ok(Val::Undefined) };
    Ok(Val::Number(numbers.fold(first, of)))
}

pub(super) fn sum(call: &Call, args: &[Val]) -> Answer {
    fold(call, args, Some(0.0), |a, b| a + b)
}

pub(super) fn max(call: &Call, args: &[Val]) -> Answer {
    fold(call, args, None, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) })
}

pub(super) fn min(call: &Call, args: &[Val]) -> Answer {
    fold(call, args, None, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) })
}

pub(super) fn average(call: &Call, args: &[Val]) -> Answer {
    let count = arg(args, 0).list().map_or(0, List::len);
    if count == 0 {
        return Ok(Val::Undefined);
    }
    let total = sum(call, args)?.as_f64().unwrap_or(f64::NAN);
    Ok(Val::Number(total / count as f64))
}

/// `-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let exponent_fits = exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    digits(whole) && fraction.is_none_or(digits) && exponent_fits
}

/// `0x1F`, `0o17`, `0b101`.
fn prefixed(text: &str) -> Option<f64> {
    let (radix, digits) = match text.get(..2)?.to_ascii_lowercase().as_str() {
        "0x" => (16, &text[2..]),
        "0o" => (8, &text[2..]),
        "0b" => (2, &text[2..]),
        _ => return None,
    };
    let digits: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(radix)).collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    Some(digits.iter().fold(0.0, |n, &digit| n * f64::from(radix) + f64::from(digit)))
}

pub(super) fn number(_: &Call, args: &[Val]) -> Answer {
    let found = match arg(args, 0) {
        Val::Undefined => return Ok(Val::Undefined),
        Val::Number(n) => Some(*n),
        Val::Exact(n) => Some(n.as_f64()),
        Val::Bool(b) => Some(f64::from(u8::from(*b))),
        Val::String(s) if is_decimal(s) => s.parse::<f64>().ok().filter(|n| n.is_finite()),
        Val::String(s) => prefixed(s),
        _ => None,
    };
    match found {
        Some(n) => Ok(Val::Number(n)),
        None => coded("D3030", &[("value", super::string::json_of(arg(args, 0)))]),
    }
}

/// The digits of a whole number to a base, the last one first: exact, whatever its size.
fn whole_digits(n: f64, radix: u32) -> Vec<char> {
    // As 32 bits each, the lowest first.
    let exponent = (n.to_bits() >> 52).saturating_sub(1023 + 52) as usize;
    let mut limbs = vec![0_u32; exponent / 32];
    let low = u128::from((n / 2_f64.powi(exponent as i32)) as u64) << (exponent % 32);
    limbs.extend((0..3).map(|at| (low >> (32 * at)) as u32));
    let mut digits = Vec::new();
    while digits.is_empty() || limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0;
        for limb in limbs.iter_mut().rev() {
            let all = rest << 32 | u64::from(*limb);
            *limb = (all / u64::from(radix)) as u32;
            rest = all % u64::from(radix);
        }
        digits.push(char::from_digit(rest as u32, radix).unwrap_or('0'));
    }
    digits
}

pub(super) fn format_base(_: &Call, args: &[Val]) -> Answer {
    let Some(n) = given(args, 0) else { return Ok(Val::Undefined) };
    let (n, radix) = (rounded_to(n, 0.0), given(args, 1).map_or(10.0, |radix| rounded_to(radix, 0.0)));
    if !(2.0..=36.0).contains(&radix) {
        return coded("D3100", &[("value", json(radix))]);
    }
    if radix == 10.0 || !n.is_finite() {
        return Ok(Val::string(text(n)));
    }
    let digits = whole_digits(n.abs(), radix as u32);
    let sign = if n < 0.0 { "-" } else { "" };
    Ok(Val::string(format!("{sign}{}", digits.iter().rev().collect::<String>())))
}
