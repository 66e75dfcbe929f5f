//! `$now`, `$millis`, `$fromMillis` and `$toMillis`: the pictures of XPath's `format-dateTime`.

use super::calendar::{self, Fields};
use super::integer::{self, Case, Format, Primary};
use super::{Answer, Call, arg, coded, fail, number, string};
use crate::jsonata::messages::Fail;
use crate::jsonata::messages::quoted;
use crate::jsonata::value::Val;
use regex::RegexBuilder;
use std::collections::BTreeMap;

const DAYS: [&str; 8] = ["", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The picture of `$now()`.
const ISO: &str = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";
/// How large the pattern of a picture may be, in bytes.
const COMPILED_BYTES: usize = 1 << 20;

enum Part {
    Literal(String),
    Marker(Marker),
}

struct Marker {
    component: char,
    /// The most characters of a name.
    most: Option<usize>,
    second: Option<char>,
    names: Option<Case>,
    integer: Option<Format>,
    /// How many digits a year keeps; none below 0.
    digits: f64,
}

fn default_presentation(component: char) -> Option<&'static str> {
    Some(match component {
        'Y' | 'M' | 'D' | 'd' | 'W' | 'w' | 'X' | 'x' | 'H' | 'h' | 'f' => "1",
        'F' | 'P' | 'C' | 'E' => "n",
        'm' | 's' => "01",
        'Z' | 'z' => "01:01",
        _ => return None,
    })
}

/// Reads a picture.
fn analyse(picture: &str) -> Result<Vec<Part>, Fail> {
    let mut parts = Vec::new();
    let mut rest = picture;
    loop {
        let (literal, after) = rest.split_once('[').map_or((rest, None), |(literal, after)| (literal, Some(after)));
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.replace("]]", "]")));
        }
        let Some(after) = after else { return Ok(parts) };
        if let Some(after) = after.strip_prefix('[') {
            parts.push(Part::Literal("[".to_owned()));
            rest = after;
            continue;
        }
        let Some((marker, after)) = after.split_once(']') else { return coded("D3135", &[]) };
        let marker: String = marker.split_whitespace().collect();
        parts.push(Part::Marker(analyse_marker(&marker)?));
        rest = after;
    }
}

fn analyse_marker(text: &str) -> Result<Marker, Fail> {
    let component = text.chars().next();
    let rest = component.map_or("", |c| &text[c.len_utf8()..]);
    let (modifiers, width) = rest.rsplit_once(',').map_or((rest, None), |(m, w)| (m, Some(w)));
    let bound = |text: &str| if text == "*" { None } else { Some(integer::leading(text)) };
    let (least, most) = match width.map(|width| width.split_once('-').map_or((width, None), |(a, b)| (a, Some(b)))) {
        Some((least, most)) => (bound(least), most.and_then(bound)),
        None => (None, None),
    };
    let last = modifiers.chars().last().filter(|last| "atco".contains(*last) && modifiers.chars().count() > 1);
    let first = match last {
        Some(last) => &modifiers[..modifiers.len() - last.len_utf8()],
        None => modifiers,
    };
    let known = component.and_then(default_presentation);
    let Some(first) = (if first.is_empty() { known } else { Some(first) }) else {
        let letter = component.map(String::from).unwrap_or_default();
        return coded("D3132", &[("value", quoted(&letter))]);
    };
    let component = component.unwrap_or(' ');
    let size = most.filter(|n| *n >= 0.0).map(|n| n as usize);
    let mut marker = Marker { component, most: size, second: last, names: None, integer: None, digits: -1.0 };
    if first.starts_with('n') {
        marker.names = Some(Case::Lower);
    } else if first.starts_with('N') {
        marker.names = Some(if first.starts_with("Nn") { Case::Title } else { Case::Upper });
    } else if "YMDdFWwXxHhmsf".contains(component) {
        let picture = last.map_or(first.to_owned(), |last| format!("{first};{last}"));
        let mut format = integer::analyse(&picture)?;
        if format.primary == Primary::Decimal {
            let least = least.filter(|n| *n > format.mandatory as f64);
            format.mandatory = least.map_or(format.mandatory, |n| n.min(1000.0) as usize);
        }
        if "YMD".contains(component) {
            let width = (format.mandatory + format.optional) as f64;
            if let Some(most) = most {
                marker.digits = most;
                format.mandatory = most.clamp(0.0, 1000.0) as usize;
            } else if format.primary == Primary::Decimal && width >= 2.0 {
                marker.digits = width;
            }
        }
        marker.integer = Some(format);
    }
    if "Zz".contains(component) {
        marker.integer = Some(integer::analyse(first)?);
    }
    Ok(marker)
}

fn no_name<T>(component: char) -> Result<T, Fail> {
    coded("D3133", &[("value", quoted(&component.to_string()))])
}

fn format_marker(marker: &Marker, fields: &Fields, offset: [f64; 2]) -> Result<String, Fail> {
    let component = marker.component;
    let mut value = fields.component(component).unwrap_or(f64::NAN);
    match component {
        'Z' | 'z' => format_zone(marker, offset),
        'P' if marker.names == Some(Case::Upper) => Ok(if fields.is_pm() { "PM" } else { "AM" }.to_owned()),
        'P' => Ok(if fields.is_pm() { "pm" } else { "am" }.to_owned()),
        'C' | 'E' => Ok("ISO".to_owned()),
        _ if "YMDdFWwXxHhmsf".contains(component) => {
            if component == 'Y' && marker.digits >= 0.0 {
                value %= 10f64.powf(marker.digits);
            }
            let (Some(case), true) = (marker.names, component != 'f') else {
                return marker.integer.as_ref().map_or(Ok("undefined".to_owned()), |f| integer::format(value, f));
            };
            let name = match component {
                'M' | 'x' | 'F' if value.is_nan() => None,
                'M' | 'x' => MONTHS.get((value - 1.0) as usize),
                'F' => DAYS.get(value as usize),
                _ => return no_name(component),
            };
            let name = case.apply(name.copied().unwrap_or("undefined"));
            Ok(name.chars().take(marker.most.unwrap_or(usize::MAX)).collect())
        }
        _ => Ok("undefined".to_owned()),
    }
}

fn format_zone(marker: &Marker, [hours, minutes]: [f64; 2]) -> Result<String, Fail> {
    let offset = hours * 100.0 + minutes;
    let Some(format) = &marker.integer else { return Ok(String::new()) };
    let mut text = match format.mandatory {
        _ if format.regular.is_some() => integer::format(offset, format)?,
        1 | 2 => {
            let minutes = if minutes == 0.0 { String::new() } else { format!(":{minutes:02}") };
            integer::format(hours, format)? + &minutes
        }
        3 | 4 => integer::format(offset, format)?,
        _ => return coded("D3134", &[]),
    };
    if offset >= 0.0 {
        text.insert(0, '+');
    }
    if marker.component == 'z' {
        text.insert_str(0, "GMT");
    }
    Ok(if offset == 0.0 && marker.second == Some('t') { "Z".to_owned() } else { text })
}

fn format(ms: f64, picture: &str, zone: Option<&str>) -> Result<String, Fail> {
    let offset = zone.map_or(0.0, integer::leading);
    let offset = [(offset / 100.0).floor(), offset % 100.0];
    let fields = Fields::of(ms + (60.0 * offset[0] + offset[1]) * 60_000.0);
    let mut out = String::new();
    for part in analyse(picture)? {
        match part {
            Part::Literal(text) => out.push_str(&text),
            Part::Marker(marker) => out.push_str(&format_marker(&marker, &fields, offset)?),
        }
    }
    Ok(out)
}

pub(super) fn from_millis(call: &Call, args: &[Val]) -> Answer {
    let Some(ms) = number::given(args, 0) else { return Ok(Val::Undefined) };
    let picture = string::given(args, 1).unwrap_or(ISO);
    call.run.spend(super::picture_work(picture.len()))?;
    call.run.built(format(ms, picture, string::given(args, 2))?)
}

pub(super) fn now(call: &Call, args: &[Val]) -> Answer {
    let now = Val::Number(call.run.now_ms());
    from_millis(call, &[now, arg(args, 0).clone(), arg(args, 1).clone()])
}

pub(super) fn millis(call: &Call, _: &[Val]) -> Answer {
    Ok(Val::Number(call.run.now_ms()))
}

/// `^\d{4}(-[01]\d)*(-[0-3]\d)*(T[0-2]\d:[0-5]\d:[0-5]\d)*(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?$`
fn is_iso(text: &str) -> bool {
    fn shape<'t>(text: &'t str, shape: &str) -> Option<&'t str> {
        let fits = |(c, wanted): (u8, u8)| match wanted {
            b'1' | b'2' | b'3' | b'5' => (b'0'..=wanted).contains(&c),
            b'9' => c.is_ascii_digit(),
            other => c == other,
        };
        let head = text.as_bytes().get(..shape.len())?;
        head.iter().copied().zip(shape.bytes()).all(fits).then(|| &text[shape.len()..])
    }
    let Some(mut rest) = shape(text, "9999") else { return false };
    for pattern in ["-19", "-39", "T29:59:59"] {
        while let Some(after) = shape(rest, pattern) {
            rest = after;
        }
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        rest = if digits > 0 { &fraction[digits..] } else { rest };
    }
    let zones = ["Z", "+29:59", "-29:59", "+2959", "-2959"];
    rest.is_empty() || zones.iter().any(|zone| shape(rest, zone) == Some(""))
}

pub(super) fn to_millis(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(20 + text.len())?;
    match string::given(args, 1) {
        Some(picture) => {
            call.run.spend(5_000 + picture.len() * 100 + super::picture_work(picture.len()))?;
            let found = parse(text, picture, call.run.now_ms())?;
            Ok(found.map_or(Val::Undefined, Val::Number))
        }
        None if is_iso(text) => Ok(Val::Number(calendar::parse_iso(text))),
        None => coded("D3110", &[("value", quoted(text))]),
    }
}

/// The pattern that reads a part.
fn pattern(part: &Part) -> Result<String, Fail> {
    let marker = match part {
        Part::Literal(text) => return Ok(regex::escape(text)),
        Part::Marker(marker) => marker,
    };
    if let (true, Some(format)) = ("Zz".contains(marker.component), &marker.integer) {
        let separator = format.regular.and(format.separators.first());
        let minutes = separator.map_or(String::new(), |(_, c)| regex::escape(&c.to_string()) + "[0-9]+");
        return Ok(format!("{}[-+][0-9]+{minutes}", if marker.component == 'z' { "GMT" } else { "" }));
    }
    let Some(format) = &marker.integer else {
        return if "MxFP".contains(marker.component) { Ok("[a-zA-Z]+".to_owned()) } else { no_name(marker.component) };
    };
    Ok(match &format.primary {
        Primary::Letters => "[a-z]+".to_owned(),
        Primary::Roman => "[mdclxvi]+".to_owned(),
        Primary::Words => format!("(?:{}|and|[-, ])+", integer::all_words().join("|")),
        Primary::Sequence(token) => return coded("D3130", &[("value", quoted(token))]),
        Primary::Decimal => {
            let count = marker.digits.clamp(0.0, 1000.0) as usize;
            let times = match format.optional {
                _ if !"YMD".contains(marker.component) || count == 0 => "+".to_owned(),
                0 => format!("{{{count}}}"),
                optional => format!("{{{},{count}}}", count.saturating_sub(optional)),
            };
            format!("[0-9]{times}{}", if format.ordinal { "(?:th|st|nd|rd)" } else { "" })
        }
    })
}

/// What a part that was found says; NaN where a name is not known.
fn read(marker: &Marker, text: &str) -> Result<f64, Fail> {
    if let (true, Some(format)) = ("Zz".contains(marker.component), &marker.integer) {
        let text = if marker.component == 'z' { &text[3..] } else { text };
        let (hours, minutes) = match format.regular.and(format.separators.first()) {
            Some((_, c)) => text.split_once(*c).unwrap_or((text, "")),
            None if text.len() <= 3 => (text, "0"),
            None => text.split_at(3),
        };
        return Ok(integer::leading(hours) * 60.0 + integer::leading(minutes));
    }
    if let Some(format) = &marker.integer {
        return integer::parse(text, format);
    }
    let short =
        |name: &str| name.chars().take(marker.most.filter(|most| *most > 0).unwrap_or(usize::MAX)).collect::<String>();
    let place = |names: &[&str]| names.iter().position(|name| short(name) == text);
    let found = match marker.component {
        'F' => place(&DAYS).filter(|place| *place > 0),
        'P' => ["am", "pm"].iter().position(|half| *half == text || half.to_uppercase() == text),
        _ => place(&MONTHS).map(|place| place + 1),
    };
    Ok(found.map_or(f64::NAN, |found| found as f64))
}

/// The milliseconds of a text written with `picture`; `None` when it was not. What the picture leaves out before its first
/// component is taken from `now`.
fn parse(text: &str, picture: &str, now: f64) -> Result<Option<f64>, Fail> {
    let parts = analyse(picture)?;
    let groups: Result<Vec<String>, Fail> = parts.iter().map(|p| Ok(format!("({})", pattern(p)?))).collect();
    let matcher = RegexBuilder::new(&format!("^{}$", groups?.concat()))
        .case_insensitive(true)
        .size_limit(COMPILED_BYTES)
        .dfa_size_limit(COMPILED_BYTES)
        .build();
    let Ok(matcher) = matcher else { return fail("The date/time picture string is too long") };
    let Some(found) = matcher.captures(text) else { return Ok(None) };
    let mut known: BTreeMap<char, f64> = BTreeMap::new();
    for (part, group) in parts.iter().zip(found.iter().skip(1)) {
        if let (Part::Marker(marker), Some(group)) = (part, group) {
            known.insert(marker.component, read(marker, group.as_str())?);
        }
    }
    if known.is_empty() { Ok(None) } else { assemble(known, now).map(Some) }
}

/// Which of the components decide.
fn assemble(mut known: BTreeMap<char, f64>, now: f64) -> Result<f64, Fail> {
    let incomplete = || coded("D3136", &[]);
    let mask = |letters: &str, known: &BTreeMap<char, f64>| {
        let set = |c: char| known.get(&c).is_some_and(|n| *n != 0.0 && !n.is_nan());
        letters.chars().fold(0u32, |mask, c| mask << 1 | u32::from(set(c)))
    };
    // At least one component of the kind, and none of another.
    let is = |kind: u32, mask: u32| !kind & mask == 0 && kind & mask != 0;
    let dates = mask("YXMxWwdD", &known);
    let times = mask("PHhmsf", &known);
    let by_month = is(0b1010_0001, dates);
    let by_day = !by_month && is(0b1000_0010, dates);
    let by_week_of_month = is(0b0101_0100, dates);
    let by_week = !by_week_of_month && is(0b0100_1000, dates);
    let by_half_days = !is(0b01_0111, times) && is(0b10_1111, times);
    let date = match () {
        () if by_day => "YD",
        () if by_week_of_month => "XxwF",
        () if by_week => "XWF",
        () => "YMD",
    };
    let fields = Fields::of(now);
    let (mut started, mut ended) = (false, false);
    for c in date.chars().chain(if by_half_days { "Phmsf" } else { "Hmsf" }.chars()) {
        let missing = !known.contains_key(&c) || (known[&c].is_nan() && "MxFP".contains(c));
        if !missing {
            started = true;
            if ended {
                return incomplete();
            }
        } else if started {
            known.insert(c, if "MDd".contains(c) { 1.0 } else { 0.0 });
            ended = true;
        } else {
            let half = if fields.is_pm() { f64::NAN } else { 0.0 };
            known.insert(c, fields.component(c).unwrap_or(half));
        }
    }
    if by_week_of_month || by_week {
        return incomplete();
    }
    let get = |c: char| known.get(&c).copied().unwrap_or(f64::NAN);
    let mut month = if get('M') > 0.0 { get('M') - 1.0 } else { 0.0 };
    let mut day = get('D');
    if by_day {
        let derived = Fields::of(calendar::utc([get('Y'), 0.0, 1.0], [0.0; 4]) + (get('d') - 1.0) * 86_400_000.0);
        (month, day) = (derived.month, derived.day);
    }
    let mut hour = get('H');
    if by_half_days {
        hour = if get('h') == 12.0 { 0.0 } else { get('h') };
        if get('P') == 1.0 {
            hour += 12.0;
        }
    }
    let ms = calendar::utc([get('Y'), month, day], [hour, get('m'), get('s'), get('f')]);
    let zone = ['Z', 'z'].into_iter().map(get).find(|zone| *zone != 0.0 && !zone.is_nan());
    Ok(ms - zone.unwrap_or(0.0) * 60_000.0)
}
