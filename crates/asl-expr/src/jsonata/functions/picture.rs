//! `$formatNumber`: the pictures of XPath's `format-number`, as the reference implementation reads them.

use super::{Answer, Call, arg, coded, number};
use crate::jsonata::messages::Fail;
use crate::jsonata::value::Val;

/// The characters a picture is made of.
struct Symbols {
    decimal: Vec<char>,
    grouping: Vec<char>,
    exponent: Vec<char>,
    minus: String,
    percent: Vec<char>,
    per_mille: Vec<char>,
    zero: char,
    digit: Vec<char>,
    separator: String,
}

impl Symbols {
    fn new(options: &Val) -> Symbols {
        let text = |name: &str, default: &str| match options.member(name) {
            Val::String(text) => text.to_string(),
            _ => default.to_owned(),
        };
        let chars = |name: &str, default: &str| text(name, default).chars().collect::<Vec<char>>();
        Symbols {
            decimal: chars("decimal-separator", "."),
            grouping: chars("grouping-separator", ","),
            exponent: chars("exponent-separator", "e"),
            minus: text("minus-sign", "-"),
            percent: chars("percent", "%"),
            per_mille: chars("per-mille", "\u{2030}"),
            zero: text("zero-digit", "0").chars().next().unwrap_or('0'),
            digit: chars("digit", "#"),
            separator: text("pattern-separator", ";"),
        }
    }

    fn is_digit(&self, c: char) -> bool {
        (self.zero as u32..self.zero as u32 + 10).contains(&(c as u32))
    }

    fn is(c: char, symbol: &[char]) -> bool {
        symbol == [c]
    }

    fn is_active(&self, c: char) -> bool {
        let separator: Vec<char> = self.separator.chars().collect();
        let others = [&self.decimal, &self.exponent, &self.grouping, &self.digit, &separator];
        self.is_digit(c) || others.iter().any(|symbol| Symbols::is(c, symbol))
    }

    fn is_place(&self, c: char) -> bool {
        self.is_digit(c) || Symbols::is(c, &self.digit)
    }
}

fn find(text: &[char], symbol: &[char], from: usize) -> Option<usize> {
    if symbol.is_empty() || text.len() < symbol.len() {
        return None;
    }
    (from..=text.len() - symbol.len()).find(|&at| text[at..].starts_with(symbol))
}

fn find_last(text: &[char], symbol: &[char]) -> Option<usize> {
    if symbol.is_empty() || text.len() < symbol.len() {
        return None;
    }
    (0..=text.len() - symbol.len()).rev().find(|&at| text[at..].starts_with(symbol))
}

/// A part of a picture: for positive numbers, or for negative ones.
struct Parts {
    prefix: Vec<char>,
    suffix: Vec<char>,
    active: Vec<char>,
    mantissa: Vec<char>,
    exponent: Option<Vec<char>>,
    integer: Vec<char>,
    fraction: Vec<char>,
    whole: Vec<char>,
}

fn split(whole: &[char], symbols: &Symbols) -> Result<Parts, Fail> {
    let bounds = |c: &char| symbols.is_active(*c) && !Symbols::is(*c, &symbols.exponent);
    let (first, last) = (whole.iter().position(bounds), whole.iter().rposition(bounds));
    // The reference has no answer to a picture without any digit.
    let (Some(first), Some(last)) = (first, last) else { return coded("D3085", &[]) };
    let (prefix, suffix) = (whole[..first].to_vec(), whole[last + 1..].to_vec());
    let active = whole[first..=last].to_vec();
    let at = find(whole, &symbols.exponent, first).filter(|at| *at <= whole.len() - suffix.len());
    let (mantissa, exponent) = match at {
        None => (active.clone(), None),
        // The place counts from the start of the picture, as in the reference.
        Some(at) => {
            let from = (at + 1).min(active.len());
            (active[..at.min(active.len())].to_vec(), Some(active[from..].to_vec()))
        }
    };
    let (integer, fraction) = match find(&mantissa, &symbols.decimal, 0) {
        None => (mantissa.clone(), suffix.clone()),
        Some(at) => (mantissa[..at].to_vec(), mantissa[at + 1..].to_vec()),
    };
    Ok(Parts { prefix, suffix, active, mantissa, exponent, integer, fraction, whole: whole.to_vec() })
}

/// The code of what is wrong with a part; of several, the last.
fn mistake(parts: &Parts, symbols: &Symbols) -> Option<&'static str> {
    let whole = &parts.whole;
    let twice = |symbol: &[char]| find(whole, symbol, 0) != find_last(whole, symbol);
    let has = |symbol: &[char]| find(whole, symbol, 0).is_some();
    let digit_in = |part: &[char]| part.iter().any(|c| symbols.is_digit(*c));
    let grouping =
        |at: Option<usize>| at.and_then(|at| whole.get(at)).is_some_and(|c| Symbols::is(*c, &symbols.grouping));
    let decimal = find(whole, &symbols.decimal, 0);
    let doubled: Vec<char> = [&symbols.grouping[..], &symbols.grouping[..]].concat();
    let optional = find(&parts.integer, &symbols.digit, 0);
    let optional_fraction = find_last(&parts.fraction, &symbols.digit);
    let exponent = parts.exponent.as_deref();
    let checks = [
        (twice(&symbols.decimal), "D3081"),
        (twice(&symbols.percent), "D3082"),
        (twice(&symbols.per_mille), "D3083"),
        (has(&symbols.percent) && has(&symbols.per_mille), "D3084"),
        (!parts.mantissa.iter().any(|c| symbols.is_place(*c)), "D3085"),
        (parts.active.iter().any(|c| !symbols.is_active(*c)), "D3086"),
        (decimal.is_some_and(|at| grouping(at.checked_sub(1)) || grouping(Some(at + 1))), "D3087"),
        (decimal.is_none() && parts.integer.last().is_some_and(|c| Symbols::is(*c, &symbols.grouping)), "D3088"),
        (has(&doubled), "D3089"),
        (optional.is_some_and(|at| digit_in(&parts.integer[..at])), "D3090"),
        (optional_fraction.is_some_and(|at| digit_in(&parts.fraction[at..])), "D3091"),
        (exponent.is_some_and(|e| !e.is_empty()) && (has(&symbols.percent) || has(&symbols.per_mille)), "D3092"),
        (exponent.is_some_and(|e| e.is_empty() || e.iter().any(|c| !symbols.is_digit(*c))), "D3093"),
    ];
    checks.iter().rev().find(|(wrong, _)| *wrong).map(|(_, code)| *code)
}

/// What a part of a picture says.
struct Format {
    groups: Vec<usize>,
    /// The distance at which separators repeat; 0 when they do not.
    regular: usize,
    least_integer: usize,
    scaling: usize,
    fraction_groups: Vec<usize>,
    least_fraction: usize,
    most_fraction: usize,
    least_exponent: usize,
}

fn analyse(parts: &Parts, symbols: &Symbols) -> Format {
    let places = |part: &[char]| part.iter().filter(|c| symbols.is_place(**c)).count();
    let digits = |part: &[char]| part.iter().filter(|c| symbols.is_digit(**c)).count();
    let positions = |part: &[char], to_left: bool| {
        let mut found = Vec::new();
        let mut at = find(part, &symbols.grouping, 0);
        while let Some(place) = at {
            let place = place.min(part.len());
            found.push(places(if to_left { &part[..place] } else { &part[place..] }));
            // The reference goes on in the integer part in either case.
            at = find(&parts.integer, &symbols.grouping, place + 1);
        }
        found
    };
    let groups = positions(&parts.integer, false);
    let factor = groups.iter().copied().reduce(gcd).unwrap_or(0);
    let repeats = factor > 0 && (1..=groups.len()).all(|n| groups.contains(&(n * factor)));
    let mut format = Format {
        regular: if repeats { factor } else { 0 },
        groups,
        least_integer: digits(&parts.integer),
        scaling: digits(&parts.integer),
        fraction_groups: positions(&parts.fraction, true),
        least_fraction: digits(&parts.fraction),
        most_fraction: places(&parts.fraction),
        least_exponent: parts.exponent.as_deref().map_or(0, digits),
    };
    let has_exponent = parts.exponent.is_some();
    if format.least_integer == 0 && format.most_fraction == 0 {
        if has_exponent {
            (format.least_fraction, format.most_fraction) = (1, 1);
        } else {
            format.least_integer = 1;
        }
    }
    if has_exponent && format.least_integer == 0 && find(&parts.integer, &symbols.digit, 0).is_some() {
        format.least_integer = 1;
    }
    if format.least_integer == 0 && format.least_fraction == 0 {
        format.least_fraction = 1;
    }
    format
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The digits of a number, with so many after the point, in the picture's own digits.
fn digits_of(n: f64, places: usize, symbols: &Symbols) -> Vec<char> {
    // From 1e21 on JavaScript's `toFixed` gives up and writes an exponent.
    let text = if n.abs() >= 1e21 { number::text(n.abs()) } else { format!("{:.*}", places.min(100), n.abs()) };
    let shift = |c: char| match c.to_digit(10) {
        Some(digit) => char::from_u32(symbols.zero as u32 + digit).unwrap_or(c),
        None => c,
    };
    text.chars().map(shift).collect()
}

/// Puts `symbol` at a place; like JavaScript's `slice`, a negative one counts from the end.
fn insert(text: &mut Vec<char>, at: i64, symbol: &[char]) {
    let length = text.len() as i64;
    let at = if at < 0 { (length + at).max(0) } else { at.min(length) } as usize;
    text.splice(at..at, symbol.iter().copied());
}

pub(super) fn format_number(call: &Call, args: &[Val]) -> Answer {
    let (Some(n), Val::String(picture)) = (number::given(args, 0), arg(args, 1)) else { return Ok(Val::Undefined) };
    call.run.spend(50 + super::picture_work(picture.len()))?;
    let symbols = Symbols::new(arg(args, 2));
    let subpictures: Vec<Vec<char>> = match symbols.separator.as_str() {
        "" => vec![picture.chars().collect()],
        separator => picture.split(separator).map(|part| part.chars().collect()).collect(),
    };
    if subpictures.len() > 2 {
        return coded("D3080", &[]);
    }
    let mut all = Vec::new();
    for subpicture in &subpictures {
        all.push(split(subpicture, &symbols)?);
    }
    if let Some(code) = all.iter().find_map(|parts| mistake(parts, &symbols)) {
        return coded(code, &[]);
    }
    let negative = n < 0.0 || n.is_nan();
    let parts = if negative { all.last() } else { all.first() };
    let Some(parts) = parts else { return Ok(Val::Undefined) };
    let sign: Vec<char> = if negative && all.len() == 1 { symbols.minus.chars().collect() } else { Vec::new() };
    let body = write(n, parts, &symbols)?;
    let text: String = sign.iter().chain(&parts.prefix).chain(&body).chain(&parts.suffix).collect();
    call.run.built(text)
}

fn write(n: f64, parts: &Parts, symbols: &Symbols) -> Result<Vec<char>, Fail> {
    let format = analyse(parts, symbols);
    let adjusted = match () {
        () if find(&parts.whole, &symbols.percent, 0).is_some() => n * 100.0,
        () if find(&parts.whole, &symbols.per_mille, 0).is_some() => n * 1000.0,
        () => n,
    };
    let (mut mantissa, mut exponent) = (adjusted, None);
    if format.least_exponent > 0 {
        let most = 10f64.powi(format.scaling as i32);
        let least = 10f64.powi(format.scaling as i32 - 1);
        let mut power = 0i32;
        // Zero and negative numbers are never large enough: the reference does not come to an end over them.
        while mantissa.abs() < least && mantissa != 0.0 && power > -400 {
            mantissa *= 10.0;
            power -= 1;
        }
        while mantissa.abs() > most && power < 400 {
            mantissa /= 10.0;
            power += 1;
        }
        exponent = Some(power);
    }
    let rounded = number::rounded_to(mantissa, format.most_fraction as f64);
    let mut text = digits_of(rounded, format.most_fraction, symbols);
    match text.iter().position(|c| *c == '.') {
        None => text.extend(&symbols.decimal),
        Some(at) => _ = text.splice(at..=at, symbols.decimal.iter().copied()),
    }
    let zeros = text.iter().take_while(|c| **c == symbols.zero).count();
    text.drain(..zeros);
    while text.last() == Some(&symbols.zero) {
        text.pop();
    }
    let point = |text: &[char]| find(text, &symbols.decimal, 0).unwrap_or(text.len());
    let at = point(&text);
    let missing = format.least_integer.saturating_sub(at);
    let missing_fraction = format.least_fraction.saturating_sub(text.len().saturating_sub(at + 1));
    text.splice(0..0, std::iter::repeat_n(symbols.zero, missing));
    text.extend(std::iter::repeat_n(symbols.zero, missing_fraction));
    let mut at = point(&text);
    if let Some(groups) = at.saturating_sub(1).checked_div(format.regular) {
        for group in 1..=groups {
            insert(&mut text, at as i64 - (group * format.regular) as i64, &symbols.grouping);
        }
    } else {
        for place in &format.groups {
            insert(&mut text, at as i64 - *place as i64, &symbols.grouping);
            at += 1;
        }
    }
    let at = point(&text);
    for place in &format.fraction_groups {
        insert(&mut text, (place + at + 1) as i64, &symbols.grouping);
    }
    let at = point(&text);
    if find(&parts.whole, &symbols.decimal, 0).is_none() || at + 1 == text.len() {
        text.pop();
    }
    if let Some(power) = exponent {
        let mut digits = digits_of(f64::from(power), 0, symbols);
        while digits.len() < format.least_exponent {
            digits.insert(0, symbols.zero);
        }
        text.extend(&symbols.exponent);
        if power < 0 {
            text.extend(symbols.minus.chars());
        }
        text.extend(digits);
    }
    Ok(text)
}
