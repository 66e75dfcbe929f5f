//! What AWS adds to the language, and what comes from the world.

use super::{Answer, Shared, Table, arg, fail, mismatch, too_large};
use crate::intrinsic::{JavaRandom, digest};
use crate::jsonata::convert;
use jsonata_core::value::JValue;

pub(super) const TABLE: Table = &[
    ("partition", partition),
    ("range", range),
    ("hash", hash),
    ("random", random),
    ("uuid", uuid),
    ("parse", parse),
    ("now", now),
    ("millis", millis),
    ("shuffle", shuffle),
];

/// A result of many: none is undefined, one stands for itself.
fn sequence(items: Vec<JValue>) -> JValue {
    match items.len() {
        0 => JValue::Undefined,
        1 => items.into_iter().next().unwrap_or(JValue::Undefined),
        _ => JValue::array(items),
    }
}

/// An argument that must be a number, without its fraction; `None` when undefined.
fn whole(
    args: &[JValue],
    index: usize,
    function: &str,
) -> Result<Option<f64>, jsonata_core::evaluator::EvaluatorError> {
    match arg(args, index) {
        JValue::Undefined => Ok(None),
        JValue::Number(n) => Ok(Some(n.trunc())),
        _ => mismatch(index + 1, function),
    }
}

fn partition(shared: &Shared, args: &[JValue]) -> Answer {
    let size = whole(args, 1, "partition")?;
    let items: Vec<JValue> = match arg(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Array(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    match size {
        None | Some(0.0) => Ok(JValue::Undefined),
        Some(size) if size < 0.0 || size.is_nan() => mismatch(2, "partition"),
        Some(_) if items.is_empty() => Ok(JValue::Undefined),
        Some(size) if items.len() * 8 <= shared.bounds.memory => {
            Ok(JValue::array(items.chunks(size as usize).map(|chunk| JValue::array(chunk.to_vec())).collect()))
        }
        Some(_) => too_large(),
    }
}

fn range(shared: &Shared, args: &[JValue]) -> Answer {
    let ends = (whole(args, 0, "range")?, whole(args, 1, "range")?, whole(args, 2, "range")?);
    let (Some(first), Some(last), Some(step)) = ends else { return Ok(JValue::Undefined) };
    if step == 0.0 || (last - first) * step < 0.0 {
        return Ok(JValue::Undefined);
    }
    let count = ((last - first) / step).floor() + 1.0;
    if !count.is_finite() || count > shared.bounds.items as f64 {
        return too_large();
    }
    Ok(sequence((0..count as usize).map(|i| JValue::Number(first + step * i as f64)).collect()))
}

fn hash(_: &Shared, args: &[JValue]) -> Answer {
    match (arg(args, 0), arg(args, 1)) {
        (JValue::Undefined, _) | (_, JValue::Undefined) => Ok(JValue::Undefined),
        (JValue::String(text), JValue::String(algorithm)) => match digest(text, algorithm) {
            Some(hex) => Ok(JValue::string(hex)),
            None => mismatch(2, "hash"),
        },
        (JValue::String(_), _) => mismatch(2, "hash"),
        _ => mismatch(1, "hash"),
    }
}

/// `$random(seed)` is Java's `new Random(seed).nextDouble()`.
fn random(shared: &Shared, args: &[JValue]) -> Answer {
    match whole(args, 0, "random")? {
        None => Ok(JValue::Number(shared.next_unit())),
        Some(seed) => Ok(JValue::Number(JavaRandom::new(seed as i64).next_double())),
    }
}

fn uuid(shared: &Shared, _: &[JValue]) -> Answer {
    let high = (shared.next_random() & !0xF000) | 0x4000;
    let low = (shared.next_random() & (u64::MAX >> 2)) | (1 << 63);
    let hex = format!("{high:016x}{low:016x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(JValue::string(parts.join("-")))
}

fn parse(_: &Shared, args: &[JValue]) -> Answer {
    match arg(args, 0) {
        JValue::Undefined => Ok(JValue::Undefined),
        JValue::String(text) => match asl_value::parse(text) {
            Ok(value) => Ok(convert::to_engine(&value)),
            Err(e) => fail(format!("D3137: The string is not JSON: {e}")),
        },
        _ => mismatch(1, "parse"),
    }
}

fn millis(shared: &Shared, _: &[JValue]) -> Answer {
    Ok(JValue::Number(shared.now_ms as f64))
}

/// ISO 8601 with milliseconds; with a picture the call is rewritten to `$fromMillis`.
fn now(shared: &Shared, _: &[JValue]) -> Answer {
    let (days, ms) = (shared.now_ms.div_euclid(86_400_000), shared.now_ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    Ok(JValue::string(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)))
}

/// Days since 1970 as a date, in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

fn shuffle(shared: &Shared, args: &[JValue]) -> Answer {
    let JValue::Array(items) = arg(args, 0) else { return Ok(arg(args, 0).clone()) };
    let mut items = items.to_vec();
    for i in (1..items.len()).rev() {
        items.swap(i, (shared.next_random() % (i as u64 + 1)) as usize);
    }
    Ok(JValue::array(items))
}
