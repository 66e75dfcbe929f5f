//! What AWS adds to the language, and what comes from the world.

use super::{Answer, Call, arg, mismatch, too_large};
use crate::intrinsic::{JavaRandom, digest};
use crate::jsonata::messages::Fail;
use crate::jsonata::value::{List, PLAIN, SEQUENCE, Val};

/// An argument that must be a number, without its fraction; `None` when undefined.
fn whole(args: &[Val], index: usize) -> Result<Option<f64>, Fail> {
    match arg(args, index) {
        Val::Undefined => Ok(None),
        value => value.as_f64().map_or_else(|| mismatch(index + 1), |n| Ok(Some(n.trunc()))),
    }
}

pub(super) fn partition(call: &Call, args: &[Val]) -> Answer {
    let size = whole(args, 1)?;
    let items = arg(args, 0);
    if items.is_undefined() {
        return Ok(Val::Undefined);
    }
    let count = items.list().map_or(1, List::len);
    let size = match size {
        None => return Ok(Val::Undefined),
        Some(0.0) => return Ok(Val::Undefined),
        Some(size) if size < 0.0 || size.is_nan() => return mismatch(2),
        Some(_) if count == 0 => return Ok(Val::Undefined),
        Some(size) => size as usize,
    };
    call.run.spend(count.saturating_mul(4))?;
    let mut all = call.run.build();
    let mut part = call.run.build();
    for index in 0..count {
        let item = items.list().map_or_else(|| Some(items.clone()), |list| list.get(index));
        part.push(item.unwrap_or_default())?;
        if part.len() == size || index + 1 == count {
            all.push(std::mem::replace(&mut part, call.run.build()).finish(PLAIN)?)?;
        }
    }
    all.finish(PLAIN)
}

pub(super) fn range(call: &Call, args: &[Val]) -> Answer {
    let ends = (whole(args, 0)?, whole(args, 1)?, whole(args, 2)?);
    let (Some(first), Some(last), Some(step)) = ends else { return Ok(Val::Undefined) };
    if step == 0.0 || (last - first) * step < 0.0 {
        return Ok(Val::Undefined);
    }
    let count = ((last - first) / step).floor() + 1.0;
    if !count.is_finite() || count > call.run.budget.bounds.items as f64 {
        return too_large();
    }
    call.run.numbers(first, step, count as usize)
}

pub(super) fn hash(call: &Call, args: &[Val]) -> Answer {
    match (arg(args, 0), arg(args, 1)) {
        (Val::Undefined, _) | (_, Val::Undefined) => Ok(Val::Undefined),
        (Val::String(text), Val::String(algorithm)) => {
            call.run.spend(text.len() / 2)?;
            match digest(text, algorithm) {
                Some(hex) => Ok(Val::string(hex)),
                None => mismatch(2),
            }
        }
        (Val::String(_), _) => mismatch(2),
        _ => mismatch(1),
    }
}

/// `$random(seed)` is Java's `new Random(seed).nextDouble()`.
pub(super) fn random(call: &Call, args: &[Val]) -> Answer {
    Ok(Val::Number(match whole(args, 0)? {
        None => (call.run.next_random() >> 11) as f64 / (1u64 << 53) as f64,
        Some(seed) => JavaRandom::new(seed as i64).next_double(),
    }))
}

pub(super) fn uuid(call: &Call, _: &[Val]) -> Answer {
    let high = (call.run.next_random() & !0xF000) | 0x4000;
    let low = (call.run.next_random() & (u64::MAX >> 2)) | (1 << 63);
    let hex = format!("{high:016x}{low:016x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(Val::string(parts.join("-")))
}

pub(super) fn shuffle(call: &Call, args: &[Val]) -> Answer {
    let Some(list) = arg(args, 0).list().filter(|list| list.len() > 1) else { return Ok(arg(args, 0).clone()) };
    call.run.spend(list.len() * 3)?;
    call.run.budget.length(list.len())?;
    let mut places: Vec<usize> = (0..list.len()).collect();
    for i in (1..places.len()).rev() {
        places.swap(i, (call.run.next_random() % (i as u64 + 1)) as usize);
    }
    let mut build = call.run.build();
    places.iter().try_for_each(|place| build.push(list.get(*place).unwrap_or_default()))?;
    build.finish(if arg(args, 0).flags().sequence { SEQUENCE } else { PLAIN })
}
