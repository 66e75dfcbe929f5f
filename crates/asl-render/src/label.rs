//! Short texts: conditions, error names, names in lines.

use crate::visible::is_control;
use asl_syntax::model::{Condition, Operand, Operator, Relation, Test};
use asl_syntax::{Resource, ResourceKind};
use std::fmt::Write;
use std::sync::Arc;
use unicode_width::UnicodeWidthChar;

/// How wide texts may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The widest line of a name, in columns.
    pub(crate) name: usize,
    /// The widest label, in columns.
    pub(crate) label: usize,
}

impl Sizes {
    /// For pictures of any width.
    pub(crate) const USUAL: Sizes = Sizes { name: 30, label: 28 };
    /// From those that cut nothing off to the narrowest that can be read.
    pub(crate) const FROM_WIDE: [Sizes; 5] = [
        Sizes { name: 60, label: 72 },
        Sizes::USUAL,
        Sizes { name: 24, label: 20 },
        Sizes { name: 18, label: 14 },
        Sizes { name: 12, label: 10 },
    ];
}
/// Where the whole text of a condition is cut, in bytes: it is for a tooltip.
const FULL: usize = 400;

/// How many columns a text takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// How many columns a character takes in a terminal.
pub(crate) fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The text without what would move a terminal's cursor or turn the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_control(c) => ' ',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// The text, cut with an ellipsis to at most `max` columns.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > max {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// The name in lines of at most `max` columns, broken where a word ends: at blanks, hyphens, and capital letters.
pub(crate) fn wrap(name: &str, max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(&clean(name)) {
        let line = lines.len() - 1;
        if width(&lines[line]) + width(word.trim_end()) <= max {
            lines[line].push_str(&word);
            continue;
        }
        lines.push(String::new());
        for c in word.chars() {
            let line = lines.len() - 1;
            if width(&lines[line]) + char_width(c) > max {
                lines.push(c.to_string());
            } else {
                lines[line].push(c);
            }
        }
    }
    let mut lines: Vec<String> = lines.iter().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
    if lines.is_empty() {
        lines.push("\"\"".to_owned());
    }
    lines
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let starts = c.is_uppercase() && !before.is_uppercase();
        if (starts || matches!(before, ' ' | '-' | '_' | '.' | '/' | ':')) && c != ' ' {
            words.push(String::new());
        }
        let last = words.len() - 1;
        words[last].push(c);
        before = c;
    }
    words
}

/// What a Task calls, in short: `dynamodb:putItem`, `lambda PaymentCharge`. `function` is what its parameters name.
pub(crate) fn resource(resource: &Resource, function: Option<&str>) -> String {
    match &resource.kind {
        ResourceKind::Service { service, action, pattern, .. } if &**service == "lambda" && &**action == "invoke" => {
            let function = function.map(|name| format!(" {}", function_name(name))).unwrap_or_default();
            format!("lambda{function}{}", pattern.suffix())
        }
        ResourceKind::Lambda { function } => format!("lambda {function}"),
        ResourceKind::Activity { name } => format!("activity {name}"),
        ResourceKind::Service { service, action, pattern, .. } => format!("{service}:{action}{}", pattern.suffix()),
    }
}

/// The name in the ARN of a function, without its qualifier; or the name alone.
fn function_name(reference: &str) -> &str {
    let name = reference.rsplit_once(":function:").map_or(reference, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}

/// The errors of a catcher: the first name, and how many more.
pub(crate) fn errors(names: &[Arc<str>], max: usize) -> (String, String) {
    let all: Vec<String> = names.iter().map(|n| clean(n)).collect();
    let full = shorten(&all.join(", "), FULL);
    let more = if all.len() > 1 { format!(" +{}", all.len() - 1) } else { String::new() };
    let first = all.first().map_or("", String::as_str);
    let short = if width(&full) <= max { full.clone() } else { shorten(first, max - more.len()) + &more };
    (short, full)
}

/// The conditions of the rules that lead to one state: in short, and whole.
pub(crate) fn conditions(rules: &[&Condition], max: usize) -> (String, String) {
    let mut full = String::new();
    for (i, rule) in rules.iter().enumerate() {
        if full.len() > FULL {
            break;
        }
        full.push_str(if i > 0 { " or " } else { "" });
        write_condition(rule, &mut full, 0);
    }
    let full = shorten(&clean(&full), FULL);
    if width(&full) <= max || rules.len() < 2 {
        return (shorten(&full, max), full);
    }
    let more = format!(" +{}", rules.len() - 1);
    let mut first = String::new();
    write_condition(rules[0], &mut first, 0);
    (shorten(&clean(&first), max - more.len()) + &more, full)
}

/// Writes a condition; stops going deeper once the text is long enough to be cut anyway.
fn write_condition(condition: &Condition, out: &mut String, level: usize) {
    if out.len() > FULL {
        return;
    }
    match condition {
        Condition::And(parts) => write_parts(parts, " && ", out, level),
        Condition::Or(parts) => write_parts(parts, " || ", out, level),
        Condition::Not(inner) => {
            out.push_str("not ");
            write_condition(inner, out, level + 1);
        }
        Condition::Test { variable, operator } => write_test(variable.text(), operator, out),
        Condition::Literal(holds) => out.push_str(if *holds { "true" } else { "false" }),
        Condition::Query(query) => out.push_str(query.text().unwrap_or_default()),
    }
}

fn write_parts(parts: &[Condition], sign: &str, out: &mut String, level: usize) {
    let brackets = level > 0 && parts.len() > 1;
    out.push_str(if brackets { "(" } else { "" });
    for (i, part) in parts.iter().enumerate() {
        if out.len() > FULL {
            break;
        }
        out.push_str(if i > 0 { sign } else { "" });
        write_condition(part, out, level + 1);
    }
    out.push_str(if brackets { ")" } else { "" });
}

fn write_test(variable: &str, operator: &Operator, out: &mut String) {
    // Writing into a String cannot fail.
    let _ = match operator {
        Operator::Compare { relation, operand, .. } => {
            let sign = match relation {
                Relation::Equals => "==",
                Relation::LessThan => "<",
                Relation::GreaterThan => ">",
                Relation::LessThanEquals => "<=",
                Relation::GreaterThanEquals => ">=",
            };
            match operand {
                Operand::Literal(value) => write!(out, "{variable} {sign} {value}"),
                Operand::Path(path) => write!(out, "{variable} {sign} {}", path.text()),
            }
        }
        Operator::StringMatches(pattern) => write!(out, "{variable} like \"{pattern}\""),
        Operator::Is(test, expected) => {
            let what = match test {
                Test::Null => "null",
                Test::Present => "present",
                Test::Numeric => "a number",
                Test::String => "a string",
                Test::Boolean => "a boolean",
                Test::Timestamp => "a timestamp",
            };
            write!(out, "{variable} is {}{what}", if *expected { "" } else { "not " })
        }
    };
}
