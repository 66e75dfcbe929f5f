//! What each function does. `Err` is what is wrong with the arguments.

use super::random::JavaRandom;
use crate::Env;
use crate::budget::{Budget, Exceeded};
use crate::path::java;
use asl_value::{Number, Value};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use base64::{Engine, alphabet};
use sha2::Digest;
use std::collections::HashSet;
use std::fmt::Write;

/// How many elements `States.ArrayRange` may make.
const MAX_RANGE: i64 = 1000;
/// How long the text of Base64 and hash functions may be, in characters.
const MAX_CHARS: usize = 10_000;

/// The intrinsic functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

/// Their names after `States.`, and how many arguments they take.
const FUNCTIONS: [(Function, &str, &str); 18] = [
    (Function::Format, "Format", "1 or more"),
    (Function::StringToJson, "StringToJson", "1"),
    (Function::JsonToString, "JsonToString", "1"),
    (Function::Array, "Array", "0 or more"),
    (Function::ArrayPartition, "ArrayPartition", "2"),
    (Function::ArrayContains, "ArrayContains", "2"),
    (Function::ArrayRange, "ArrayRange", "3"),
    (Function::ArrayGetItem, "ArrayGetItem", "2"),
    (Function::ArrayLength, "ArrayLength", "1"),
    (Function::ArrayUnique, "ArrayUnique", "1"),
    (Function::Base64Encode, "Base64Encode", "1"),
    (Function::Base64Decode, "Base64Decode", "1"),
    (Function::Hash, "Hash", "2"),
    (Function::JsonMerge, "JsonMerge", "3"),
    (Function::MathRandom, "MathRandom", "2 or 3"),
    (Function::MathAdd, "MathAdd", "2"),
    (Function::StringSplit, "StringSplit", "2"),
    (Function::Uuid, "UUID", "0"),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|(_, known, _)| *known == name).map(|(function, ..)| *function)
    }

    pub(super) fn name(self) -> &'static str {
        FUNCTIONS[self as usize].1
    }

    fn takes(self) -> &'static str {
        FUNCTIONS[self as usize].2
    }
}

/// Why a function gives no value.
#[derive(Debug)]
pub(super) enum Problem {
    /// What is wrong with its arguments.
    Arguments(String),
    /// What is wrong with the template of `States.Format`, in AWS's words.
    Template(&'static str),
    /// It would take too much.
    Exceeded(Exceeded),
}

impl From<String> for Problem {
    fn from(why: String) -> Problem {
        Problem::Arguments(why)
    }
}

impl From<&str> for Problem {
    fn from(why: &str) -> Problem {
        Problem::Arguments(why.to_owned())
    }
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Problem {
        Problem::Exceeded(exceeded)
    }
}

type Answer = Result<Value, Problem>;

/// Calls a function. The number of its arguments is checked here and not when the definition is loaded, as on AWS.
/// What it makes is charged to the budget before it is made.
pub(super) fn apply(function: Function, args: &[Value], env: &dyn Env, budget: &Budget) -> Answer {
    match (function, args) {
        (Function::Format, [template, args @ ..]) => format_text(text(template)?, args, budget),
        (Function::StringToJson, [json]) => string_to_json(text(json)?, budget),
        (Function::JsonToString, [value]) => {
            budget.value(value)?;
            Ok(value.to_string().into())
        }
        (Function::Array, items) => {
            budget.items(items.len())?;
            items.iter().try_for_each(|item| budget.value(item))?;
            Ok(items.to_vec().into())
        }
        (Function::ArrayPartition, [items, size]) => partition(array(items)?, integer(size)?, budget),
        (Function::ArrayContains, [items, item]) => {
            budget.read(items.measure().bytes)?;
            Ok(array(items)?.contains(item).into())
        }
        (Function::ArrayRange, [first, last, step]) => range(integer(first)?, integer(last)?, integer(step)?),
        (Function::ArrayGetItem, [items, at]) => get_item(array(items)?, integer(at)?),
        (Function::ArrayLength, [items]) => Ok(array(items)?.len().into()),
        (Function::ArrayUnique, [items]) => {
            budget.items(array(items)?.len())?;
            budget.value(items)?;
            Ok(unique(array(items)?))
        }
        (Function::Base64Encode, [data]) => Ok(STANDARD.encode(short_text(data)?).into()),
        (Function::Base64Decode, [data]) => base64_decode(short_text(data)?),
        (Function::Hash, [data, algorithm]) => hash(data, text(algorithm)?, budget),
        (Function::JsonMerge, [first, second, deep]) => merge(first, second, deep, budget),
        (Function::MathRandom, [start, end, seed @ ..]) if seed.len() <= 1 => random(start, end, seed.first(), env),
        (Function::MathAdd, [a, b]) => add(a, b),
        (Function::StringSplit, [data, delimiters]) => split(text(data)?, text(delimiters)?, budget),
        (Function::Uuid, []) => Ok(uuid(env).into()),
        (other, args) => Err(format!("it takes {} arguments, not {}", other.takes(), args.len()).into()),
    }
}

fn wrong(expected: &str, got: &Value) -> String {
    format!("expected {expected}, got {}", got.kind().name())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| wrong("a string", value))
}

fn short_text(value: &Value) -> Result<&str, String> {
    let text = text(value)?;
    let chars = text.encode_utf16().count();
    if chars > MAX_CHARS { Err(format!("a text of {chars} characters is longer than {MAX_CHARS}")) } else { Ok(text) }
}

fn array(value: &Value) -> Result<&[Value], String> {
    value.as_array().ok_or_else(|| wrong("an array", value))
}

/// A whole number; a fraction is rounded as Java's `Math.round` does: to the nearest, and up from the middle.
fn integer(value: &Value) -> Result<i64, String> {
    match value.as_number() {
        Some(Number::Int(i)) => Ok(*i),
        Some(Number::Float(f)) => Ok((f.floor() + f64::from(f - f.floor() >= 0.5)) as i64),
        Some(Number::Big(_)) => Err(format!("{value} is too large")),
        None => Err(wrong("a number", value)),
    }
}

fn int32(number: i64) -> Result<i32, String> {
    i32::try_from(number).map_err(|_| format!("{number} is not between {} and {}", i32::MIN, i32::MAX))
}

/// Fills the `{}` of a template. All that goes in is paid for before room for it is made.
fn format_text(template: &str, args: &[Value], budget: &Budget) -> Answer {
    budget.bytes(template.len())?;
    let mut room = template.len();
    pieces(template, args, |piece| {
        if let Piece::Argument(arg) = piece {
            // Java's text of a value is no longer than twice its JSON.
            let bytes = arg.measure().bytes;
            budget.bytes(bytes)?;
            room += bytes;
        }
        Ok(())
    })?;
    let mut out = String::with_capacity(room);
    pieces(template, args, |piece| {
        match piece {
            Piece::Char(c) => out.push(c),
            Piece::Argument(arg) => java::write(arg, &mut out),
        }
        Ok(())
    })?;
    Ok(out.into())
}

/// A part of a filled template.
enum Piece<'a> {
    Char(char),
    Argument(&'a Value),
}

/// The parts of a template in order. A brace that means itself has a backslash before it.
fn pieces<'a>(
    template: &str,
    args: &'a [Value],
    mut see: impl FnMut(Piece<'a>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut args = args.iter();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        see(match c {
            '\\' => Piece::Char(chars.next().ok_or("the template ends in a lone backslash")?),
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                Piece::Argument(args.next().ok_or("the template has more {} than there are arguments")?)
            }
            '{' => return Err(Problem::Template("matching '}' not found for '{'.")),
            '}' => return Err(Problem::Template("matching '{' not found for '}'.")),
            _ => Piece::Char(c),
        })?;
    }
    if args.next().is_some() { Err("the template has fewer {} than there are arguments".into()) } else { Ok(()) }
}

/// A blank text is null; `-0` is 0.
fn string_to_json(text: &str, budget: &Budget) -> Answer {
    let parts = text.bytes().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    budget.items(2 * parts)?;
    budget.bytes(text.len())?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    Ok(asl_value::parse(text).map_err(|e| format!("the text is not JSON: {e}"))?)
}

fn partition(items: &[Value], size: i64, budget: &Budget) -> Answer {
    budget.items(2 * items.len())?;
    let size =
        usize::try_from(size).ok().filter(|&size| size > 0).ok_or(format!("the chunk size {size} is not positive"))?;
    Ok(items.chunks(size).map(|chunk| Value::from(chunk.to_vec())).collect())
}

fn range(first: i64, last: i64, step: i64) -> Answer {
    if step == 0 {
        return Err("the step is 0".into());
    }
    let span = if step > 0 { last.checked_sub(first) } else { first.checked_sub(last) };
    let count = span.and_then(|span| span.checked_div(step.checked_abs()?)).ok_or("the range is too large")?;
    if span.is_some_and(|span| span < 0) {
        return Ok(Value::empty_array());
    }
    if count >= MAX_RANGE {
        return Err(format!("the range has more than {MAX_RANGE} elements").into());
    }
    Ok((0..=count).map(|i| Value::from(first + i * step)).collect())
}

fn get_item(items: &[Value], at: i64) -> Answer {
    let item = usize::try_from(at).ok().and_then(|at| items.get(at));
    item.cloned().ok_or_else(|| format!("the index {at} is outside of an array of {} elements", items.len()).into())
}

/// The first of each group of equal elements.
fn unique(items: &[Value]) -> Value {
    let mut texts = HashSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if texts.insert(canonical(item)) {
            kept.push(item.clone());
        }
    }
    kept.into()
}

/// A text that two values share exactly when they are equal.
fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Number(Number::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => _ = write!(out, "{}", *f as i64),
        Value::Array(items) => {
            out.push('[');
            for item in items.iter() {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in members {
                let _ = write!(out, "{}:", Value::from(key));
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        other => _ = write!(out, "{other}"),
    }
}

/// As lenient as AWS: characters outside of the alphabet are skipped, and the first `=` ends the data.
fn base64_decode(data: &str) -> Answer {
    let mut digits: Vec<u8> = data.bytes().take_while(|b| *b != b'=').filter_map(base64_digit).collect();
    if digits.len() % 4 == 1 {
        // Six bits alone make no byte.
        digits.pop();
    }
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(digits);
    let bytes = bytes.map_err(|e| format!("the text is not Base64: {e}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

/// The digit of the standard alphabet; those of the URL-safe one are taken too.
fn base64_digit(b: u8) -> Option<u8> {
    match b {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(b),
        _ => b.is_ascii_alphanumeric().then_some(b),
    }
}

/// A string is hashed as it is, anything else as its JSON text.
fn hash(data: &Value, algorithm: &str, budget: &Budget) -> Answer {
    budget.value(data)?;
    let json;
    let data = match data {
        Value::String(_) => short_text(data)?,
        other => {
            json = Value::from(other.to_string());
            short_text(&json)?
        }
    };
    let hash = digest(data, algorithm);
    Ok(hash.ok_or_else(|| format!("'{algorithm}' is none of MD5, SHA-1, SHA-256, SHA-384 and SHA-512"))?.into())
}

/// The hash of a text in lower-case hexadecimal digits; `None` for an algorithm AWS does not have.
pub(crate) fn digest(data: &str, algorithm: &str) -> Option<String> {
    Some(match algorithm {
        "MD5" => hex(&md5::Md5::digest(data)),
        "SHA-1" => hex(&sha1::Sha1::digest(data)),
        "SHA-256" => hex(&sha2::Sha256::digest(data)),
        "SHA-384" => hex(&sha2::Sha384::digest(data)),
        "SHA-512" => hex(&sha2::Sha512::digest(data)),
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, b| {
        // Writing into a String cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn merge(first: &Value, second: &Value, deep: &Value, budget: &Budget) -> Answer {
    budget.value(first)?;
    budget.value(second)?;
    match (first, second, deep) {
        (Value::Object(first), Value::Object(second), Value::Bool(false)) => {
            budget.items(first.len() + second.len())?;
            let mut merged = (**first).clone();
            for (key, value) in second.iter() {
                merged.insert(key.clone(), value.clone());
            }
            Ok(merged.into())
        }
        (_, _, Value::Bool(true)) => Err("only the shallow merge, with false as third argument, is supported".into()),
        (Value::Object(_), Value::Object(_), other) => Err(wrong("false", other).into()),
        (Value::Object(_), other, _) | (other, _, _) => Err(wrong("an object", other).into()),
    }
}

/// From `start` up to, but not including, `end`.
fn random(start: &Value, end: &Value, seed: Option<&Value>, env: &dyn Env) -> Answer {
    let (start, end) = (int32(integer(start)?)?, int32(integer(end)?)?);
    let size = i64::from(end) - i64::from(start);
    if size <= 0 {
        return Err(format!("the end {end} is not greater than the start {start}").into());
    }
    let seed = match seed {
        Some(seed) => integer(seed)?,
        None => env.random() as i64,
    };
    Ok((i64::from(start) + JavaRandom::new(seed).next_below(size)).into())
}

fn add(a: &Value, b: &Value) -> Answer {
    let sum = i64::from(int32(integer(a)?)?) + i64::from(int32(integer(b)?)?);
    Ok(int32(sum)?.into())
}

/// Cuts at any of the delimiting characters; empty pieces are dropped.
fn split(text: &str, delimiters: &str, budget: &Budget) -> Answer {
    let delimiters: HashSet<char> = delimiters.chars().collect();
    budget.bytes(text.len())?;
    let pieces = || text.split(|c| delimiters.contains(&c)).filter(|piece| !piece.is_empty());
    budget.items(2 * pieces().count())?;
    Ok(pieces().map(Value::from).collect())
}

/// A random (version 4) UUID of the bits that the machine gives.
fn uuid(env: &dyn Env) -> String {
    let (high, low) = (env.random(), env.random());
    let version = high & 0x0FFF | 0x4000;
    let variant = low >> 48 & 0x3FFF | 0x8000;
    let node = low & 0xFFFF_FFFF_FFFF;
    format!("{:08x}-{:04x}-{version:04x}-{variant:04x}-{node:012x}", high >> 32, high >> 16 & 0xFFFF)
}
