//! Integers as digits, words, Roman numerals or letters: the pictures of XPath's `format-integer`.

use super::{Answer, Call, arg, coded, fail, number, string};
use crate::jsonata::messages::Fail;
use crate::jsonata::value::Val;

const FEW: [&str; 20] = [
    "Zero",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
    "Thirteen",
    "Fourteen",
    "Fifteen",
    "Sixteen",
    "Seventeen",
    "Eighteen",
    "Nineteen",
];
const ORDINALS: [&str; 20] = [
    "Zeroth",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
    "Thirteenth",
    "Fourteenth",
    "Fifteenth",
    "Sixteenth",
    "Seventeenth",
    "Eighteenth",
    "Nineteenth",
];
const DECADES: [&str; 9] = ["Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety", "Hundred"];
const MAGNITUDES: [&str; 4] = ["Thousand", "Million", "Billion", "Trillion"];
const ROMAN: [(f64, &str); 13] = [
    (1000.0, "m"),
    (900.0, "cm"),
    (500.0, "d"),
    (400.0, "cd"),
    (100.0, "c"),
    (90.0, "xc"),
    (50.0, "l"),
    (40.0, "xl"),
    (10.0, "x"),
    (9.0, "ix"),
    (5.0, "v"),
    (4.0, "iv"),
    (1.0, "i"),
];
/// Where the digits of each script begin.
const ZEROS: [u32; 37] = [
    0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];
/// The largest Roman numeral written, in thousands: the reference runs out of stack.
const ROMAN_MOST: f64 = 1e7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Lower,
    Title,
}

impl Case {
    pub(super) fn apply(self, text: &str) -> String {
        match self {
            Case::Upper => text.to_uppercase(),
            Case::Lower => text.to_lowercase(),
            Case::Title => text.to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Primary {
    Letters,
    Roman,
    Words,
    Decimal,
    /// What no rule knows, by its token.
    Sequence(String),
}

/// A picture, read.
#[derive(Clone, Debug)]
pub(super) struct Format {
    pub(super) primary: Primary,
    pub(super) case: Case,
    pub(super) ordinal: bool,
    zero: u32,
    pub(super) mandatory: usize,
    pub(super) optional: usize,
    /// Separators with the number of digits to the right of each.
    pub(super) separators: Vec<(usize, char)>,
    /// The distance, where one separator repeats.
    pub(super) regular: Option<usize>,
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The distance at which one separator repeats.
fn regular(separators: &[(usize, char)]) -> Option<usize> {
    let (_, first) = separators.first()?;
    if separators.iter().any(|(_, c)| c != first) {
        return None;
    }
    let factor = separators.iter().map(|(at, _)| *at).reduce(gcd)?;
    let all = (1..=separators.len()).all(|n| separators.iter().any(|(at, _)| *at == n * factor));
    (factor > 0 && all).then_some(factor)
}

/// Reads a picture.
///
/// # Errors
/// D3131 for digits of several scripts.
pub(super) fn analyse(picture: &str) -> Result<Format, Fail> {
    let (token, modifier) = picture.rsplit_once(';').unwrap_or((picture, ""));
    let mut format = Format {
        primary: Primary::Words,
        case: Case::Lower,
        ordinal: modifier.starts_with('o'),
        zero: 0x30,
        mandatory: 0,
        optional: 0,
        separators: Vec::new(),
        regular: None,
    };
    match token {
        "A" | "a" => format.primary = Primary::Letters,
        "I" | "i" => format.primary = Primary::Roman,
        "W" | "w" | "Ww" => {}
        _ => digits(token, &mut format)?,
    }
    match token {
        "A" | "I" | "W" => format.case = Case::Upper,
        "Ww" => format.case = Case::Title,
        _ => {}
    }
    Ok(format)
}

fn digits(token: &str, format: &mut Format) -> Result<(), Fail> {
    let mut zero = None;
    let mut position = 0;
    for c in token.chars().rev() {
        let code = c as u32;
        if let Some(&group) = ZEROS.iter().find(|&&group| (group..group + 10).contains(&code)) {
            if zero.is_some_and(|zero| zero != group) {
                return coded("D3131", &[]);
            }
            zero = Some(group);
            format.mandatory += 1;
            position += 1;
        } else if c == '#' {
            format.optional += 1;
            position += 1;
        } else {
            format.separators.push((position, c));
        }
    }
    format.primary = if zero.is_some() { Primary::Decimal } else { Primary::Sequence(token.to_owned()) };
    format.zero = zero.unwrap_or(0x30);
    format.regular = regular(&format.separators);
    Ok(())
}

fn words(n: f64, after: bool, ordinal: bool) -> String {
    let th = |words: String| if ordinal { words + "th" } else { words };
    if n <= 19.0 {
        let table = if ordinal { ORDINALS } else { FEW };
        return format!("{}{}", if after { " and " } else { "" }, table[n.max(0.0) as usize]);
    }
    if n < 100.0 {
        let (tens, rest) = ((n / 10.0).floor() as usize, n % 10.0);
        let decade = DECADES[tens - 2];
        let and = if after { " and " } else { "" };
        return if rest > 0.0 {
            format!("{and}{decade}-{}", words(rest, false, ordinal))
        } else if ordinal {
            format!("{and}{}ieth", &decade[..decade.len() - 1])
        } else {
            format!("{and}{decade}")
        };
    }
    let comma = if after { ", " } else { "" };
    let (head, rest) = if n < 1000.0 {
        (format!("{comma}{} Hundred", FEW[(n / 100.0).floor() as usize]), n % 100.0)
    } else {
        let magnitude = ((n.log10() / 3.0).floor() as usize).clamp(1, MAGNITUDES.len());
        let factor = 10f64.powi(magnitude as i32 * 3);
        let mantissa = (n / factor).floor();
        (format!("{comma}{} {}", words(mantissa, false, false), MAGNITUDES[magnitude - 1]), n - mantissa * factor)
    };
    if rest > 0.0 { head + &words(rest, true, ordinal) } else { th(head) }
}

fn roman(mut n: f64) -> String {
    let mut out = String::new();
    for (value, numeral) in ROMAN {
        while n >= value {
            out.push_str(numeral);
            n -= value;
        }
    }
    out
}

fn letters(mut n: f64, first: u8) -> String {
    let mut out = Vec::new();
    while n > 0.0 && out.len() < 300 {
        out.push(char::from(first + ((n - 1.0) % 26.0) as u8));
        n = ((n - 1.0) / 26.0).floor();
    }
    out.iter().rev().collect()
}

/// Writes an integer. `width` is the least number of digits.
///
/// # Errors
/// D3130 for a picture no rule knows.
pub(super) fn format(n: f64, format: &Format) -> Result<String, Fail> {
    let size = n.abs();
    let body = match &format.primary {
        Primary::Letters => letters(size, if format.case == Case::Upper { b'A' } else { b'a' }),
        Primary::Roman if size > ROMAN_MOST => return fail("The number is too large for a Roman numeral"),
        Primary::Roman => {
            let numerals = roman(size);
            if format.case == Case::Upper { numerals.to_uppercase() } else { numerals }
        }
        Primary::Words if !size.is_finite() => return fail("The number is too large for words"),
        Primary::Words => format.case.apply(&words(size, false, format.ordinal)),
        Primary::Decimal => decimal(size, format),
        Primary::Sequence(token) => {
            return coded("D3130", &[("value", crate::jsonata::messages::quoted(token))]);
        }
    };
    Ok(if n < 0.0 { format!("-{body}") } else { body })
}

fn decimal(size: f64, format: &Format) -> String {
    let mut text: Vec<char> = number::text(size).chars().collect();
    while text.len() < format.mandatory.min(10_000) {
        text.insert(0, '0');
    }
    let shift = |c: char| char::from_u32((c as u32 + format.zero).wrapping_sub(0x30)).unwrap_or(c);
    if format.zero != 0x30 {
        text.iter_mut().for_each(|c| *c = shift(*c));
    }
    let places: Vec<(usize, char)> = match (format.regular, format.separators.first()) {
        (Some(every), Some((_, c))) => (1..=(text.len().saturating_sub(1)) / every).map(|n| (n * every, *c)).collect(),
        _ => format.separators.clone(),
    };
    let length = text.len();
    for (place, c) in places {
        text.insert(length.saturating_sub(place), c);
    }
    let mut text: String = text.into_iter().collect();
    if format.ordinal {
        let mut last = text.chars().rev();
        let suffix = match (last.next(), last.next()) {
            (_, Some('1')) => "th",
            (Some('1'), _) => "st",
            (Some('2'), _) => "nd",
            (Some('3'), _) => "rd",
            _ => "th",
        };
        text.push_str(suffix);
    }
    text
}

/// Every word of a number, in the order they are tried.
pub(super) fn all_words() -> Vec<String> {
    let ties = DECADES.iter().flat_map(|d| [(*d).to_owned(), format!("{}ieth", &d[..d.len() - 1])]);
    let large = MAGNITUDES.iter().flat_map(|m| [(*m).to_owned(), format!("{m}th")]);
    let small = FEW.iter().chain(&ORDINALS).map(|word| (*word).to_owned());
    small.chain(ties).chain(["Hundredth".to_owned()]).chain(large).collect()
}

/// What a word stands for.
fn word(word: &str) -> Option<f64> {
    let place = |table: &[&str]| table.iter().position(|known| known.eq_ignore_ascii_case(word));
    if let Some(n) = place(&FEW).or_else(|| place(&ORDINALS)) {
        return Some(n as f64);
    }
    let stem = word.strip_suffix("ieth").map(|stem| format!("{stem}y"));
    if let Some(n) = place(&DECADES)
        .or_else(|| DECADES.iter().position(|d| stem.as_deref().is_some_and(|s| d.eq_ignore_ascii_case(s))))
    {
        return Some((n + 2) as f64 * 10.0);
    }
    let stem = word.strip_suffix("th").unwrap_or(word);
    let magnitude = MAGNITUDES.iter().position(|m| m.eq_ignore_ascii_case(stem));
    magnitude.map(|n| 10f64.powi((n as i32 + 1) * 3)).or((stem == "hundred").then_some(100.0))
}

fn from_words(text: &str) -> f64 {
    let text = text.replace(" and ", "\0").replace(", ", "\0").replace([' ', '-', '\\'], "\0");
    let mut parts: Vec<f64> = vec![0.0];
    for piece in text.split('\0') {
        let value = word(piece).unwrap_or(f64::NAN);
        let mut top = parts.pop().unwrap_or(0.0);
        if value < 100.0 {
            if top >= 1000.0 {
                parts.push(top);
                top = 0.0;
            }
            parts.push(top + value);
        } else {
            parts.push(top * value);
        }
    }
    parts.iter().sum()
}

fn from_roman(text: &str) -> f64 {
    let (mut total, mut most) = (0.0, 1.0);
    for c in text.chars().rev() {
        let value = match c {
            'M' => 1000.0,
            'D' => 500.0,
            'C' => 100.0,
            'L' => 50.0,
            'X' => 10.0,
            'V' => 5.0,
            'I' => 1.0,
            _ => f64::NAN,
        };
        if value < most {
            total -= value;
        } else {
            most = value;
            total += value;
        }
    }
    total
}

fn from_letters(text: &str, first: char) -> f64 {
    text.encode_utf16().fold(0.0, |n, unit| n * 26.0 + f64::from(unit) - f64::from(first as u32) + 1.0)
}

/// The digits at the start, as JavaScript's `parseInt` reads them.
pub(super) fn leading(text: &str) -> f64 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    digits[..count].parse::<f64>().map_or(f64::NAN, |n| sign * n)
}

/// Reads an integer that was written with `format`.
///
/// # Errors
/// D3130 for a picture no rule knows.
pub(super) fn parse(text: &str, format: &Format) -> Result<f64, Fail> {
    let upper = format.case == Case::Upper;
    Ok(match &format.primary {
        Primary::Letters => from_letters(text, if upper { 'A' } else { 'a' }),
        Primary::Roman if upper => from_roman(text),
        Primary::Roman => from_roman(&text.to_uppercase()),
        Primary::Words => from_words(&text.to_lowercase()),
        Primary::Decimal => {
            let mut digits: Vec<char> = text.chars().collect();
            if format.ordinal {
                digits.truncate(digits.len().saturating_sub(2));
            }
            let separates = |c: char| match format.regular {
                Some(_) => c == ',',
                None => format.separators.iter().any(|(_, known)| *known == c),
            };
            let shift = |c: char| char::from_u32((c as u32 + 0x30).wrapping_sub(format.zero)).unwrap_or('?');
            leading(&digits.into_iter().filter(|&c| !separates(c)).map(shift).collect::<String>())
        }
        Primary::Sequence(token) => {
            return coded("D3130", &[("value", crate::jsonata::messages::quoted(token))]);
        }
    })
}

pub(super) fn format_integer(call: &Call, args: &[Val]) -> Answer {
    let Some(n) = number::given(args, 0) else { return Ok(Val::Undefined) };
    let picture = string::given(args, 1).unwrap_or_default();
    call.run.spend(super::picture_work(picture.len()))?;
    call.run.built(format(n.floor(), &analyse(picture)?)?)
}

pub(super) fn parse_integer(call: &Call, args: &[Val]) -> Answer {
    let Val::String(text) = arg(args, 0) else { return Ok(Val::Undefined) };
    let picture = string::given(args, 1).unwrap_or_default();
    call.run.spend(super::picture_work(picture.len()) + text.len())?;
    parse(text, &analyse(picture)?).map(Val::Number)
}
