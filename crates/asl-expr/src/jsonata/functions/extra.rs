//! What AWS adds to the language, and what comes from the world.

use super::{Answer, Call, arg, fail, mismatch, too_large};
use crate::intrinsic::{JavaRandom, digest};
use crate::jsonata::convert;
use jsonata_core::value::JValue;

/// A result of many: none is undefined, one stands for itself.
fn sequence(items: Vec<JValue>) -> JValue {
    match items.len() {
        0 => JValue::Undefined,
        1 => items.into_iter().next().unwrap_or(JValue::Undefined),
        _ => JValue::array(items),
    }
}

/// An argument that must be a number, without its fraction; `None` when undefined.
fn whole(call: &Call, args: &[JValue], index: usize) -> Result<Option<f64>, jsonata_core::evaluator::EvaluatorError> {
    match arg(args, index) {
        JValue::Undefined => Ok(None),
        JValue::Number(n) => Ok(Some(n.trunc())),
        _ => mismatch(call, index + 1),
    }
}

pub(super) fn partition(call: &Call, args: &[JValue]) -> Answer {
    let size = whole(call, args, 1)?;
    let items: Vec<JValue> = match arg(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Array(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    match size {
        None | Some(0.0) => Ok(JValue::Undefined),
        Some(size) if size < 0.0 || size.is_nan() => mismatch(call, 2),
        Some(_) if items.is_empty() => Ok(JValue::Undefined),
        Some(size) if items.len() * 8 <= call.shared.bounds.memory => {
            call.shared.spend(items.len() * 4)?;
            Ok(JValue::array(items.chunks(size as usize).map(|chunk| JValue::array(chunk.to_vec())).collect()))
        }
        Some(_) => too_large(),
    }
}

pub(super) fn range(call: &Call, args: &[JValue]) -> Answer {
    let ends = (whole(call, args, 0)?, whole(call, args, 1)?, whole(call, args, 2)?);
    let (Some(first), Some(last), Some(step)) = ends else { return Ok(JValue::Undefined) };
    if step == 0.0 || (last - first) * step < 0.0 {
        return Ok(JValue::Undefined);
    }
    let count = ((last - first) / step).floor() + 1.0;
    if !count.is_finite() || count > call.shared.bounds.items as f64 {
        return too_large();
    }
    call.shared.give(count as usize * 8)?;
    call.shared.spend(count as usize)?;
    Ok(sequence((0..count as usize).map(|i| JValue::Number(first + step * i as f64)).collect()))
}

pub(super) fn hash(call: &Call, args: &[JValue]) -> Answer {
    match (arg(args, 0), arg(args, 1)) {
        (JValue::Undefined, _) | (_, JValue::Undefined) => Ok(JValue::Undefined),
        (JValue::String(text), JValue::String(algorithm)) => {
            call.shared.spend(text.len() / 2)?;
            match digest(text, algorithm) {
                Some(hex) => Ok(JValue::string(hex)),
                None => mismatch(call, 2),
            }
        }
        (JValue::String(_), _) => mismatch(call, 2),
        _ => mismatch(call, 1),
    }
}

/// `$random(seed)` is Java's `new Random(seed).nextDouble()`.
pub(super) fn random(call: &Call, args: &[JValue]) -> Answer {
    match whole(call, args, 0)? {
        None => Ok(JValue::Number(call.shared.next_unit())),
        Some(seed) => Ok(JValue::Number(JavaRandom::new(seed as i64).next_double())),
    }
}

pub(super) fn uuid(call: &Call, _: &[JValue]) -> Answer {
    let high = (call.shared.next_random() & !0xF000) | 0x4000;
    let low = (call.shared.next_random() & (u64::MAX >> 2)) | (1 << 63);
    let hex = format!("{high:016x}{low:016x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(JValue::string(parts.join("-")))
}

pub(super) fn parse(call: &Call, args: &[JValue]) -> Answer {
    match arg(args, 0) {
        JValue::Undefined => Ok(JValue::Undefined),
        JValue::String(text) => {
            call.shared.spend(text.len())?;
            match asl_value::parse(text) {
                Ok(value) => Ok(convert::to_engine(&value)),
                Err(e) => fail(format!("D3137: The string is not JSON: {e}")),
            }
        }
        _ => mismatch(call, 1),
    }
}

pub(super) fn shuffle(call: &Call, args: &[JValue]) -> Answer {
    let JValue::Array(items) = arg(args, 0) else { return Ok(arg(args, 0).clone()) };
    call.shared.spend(items.len() * 2)?;
    let mut items = items.to_vec();
    for i in (1..items.len()).rev() {
        items.swap(i, (call.shared.next_random() % (i as u64 + 1)) as usize);
    }
    Ok(JValue::array(items))
}
