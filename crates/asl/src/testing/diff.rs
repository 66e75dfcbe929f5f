//! Differences for people: lines with markers.

use crate::{Map, Value};

/// Longer texts are not compared line by line.
const MAX_LINES: usize = 1500;
/// How many equal lines are shown around a difference.
const CONTEXT: usize = 3;

/// The lines of both, `-` before what was expected and is not there, `+` before what is there instead.
pub(super) fn lines(expected: &[String], actual: &[String]) -> Vec<String> {
    if expected.len().max(actual.len()) > MAX_LINES {
        let at = expected.iter().zip(actual).take_while(|(a, b)| a == b).count();
        let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
        return vec![
            format!("first difference in line {}:", at + 1),
            format!("- {}", line(expected)),
            format!("+ {}", line(actual)),
        ];
    }
    let common = common(expected, actual);
    let (mut left, mut right, mut out) = (0, 0, Vec::new());
    while left < expected.len() || right < actual.len() {
        let (a, b) = (expected.get(left), actual.get(right));
        if a.is_some() && a == b {
            out.push(format!("  {}", expected[left]));
            (left, right) = (left + 1, right + 1);
        } else if b.is_none() || (a.is_some() && common[left + 1][right] >= common[left][right + 1]) {
            out.push(format!("- {}", expected[left]));
            left += 1;
        } else {
            out.push(format!("+ {}", actual[right]));
            right += 1;
        }
    }
    shortened(out)
}

/// How many lines the rests have in common, by where they begin.
fn common(a: &[String], b: &[String]) -> Vec<Vec<u32>> {
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            table[i][j] = if a[i] == b[j] { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    table
}

/// Without the equal lines that are far from every difference.
fn shortened(lines: Vec<String>) -> Vec<String> {
    let differs: Vec<usize> = (0..lines.len()).filter(|at| !lines[*at].starts_with("  ")).collect();
    let near = |at: usize| differs.iter().any(|d| d.abs_diff(at) <= CONTEXT);
    let mut out: Vec<String> = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        if near(at) {
            out.push(line);
        } else if out.last().is_none_or(|last| last != "  ...") {
            out.push("  ...".to_owned());
        }
    }
    out
}

/// Indented JSON, its members in the order of `like` as far as that has them.
pub(super) fn json(value: &Value, like: &Value) -> Vec<String> {
    format!("{:#}", ordered(value, like)).lines().map(str::to_owned).collect()
}

fn ordered(value: &Value, like: &Value) -> Value {
    match (value, like) {
        (Value::Object(value), Value::Object(like)) => {
            let mut out = Map::with_capacity(value.len());
            for (key, like) in like.iter() {
                if let Some(member) = value.get(key) {
                    out.insert(key.clone(), ordered(member, like));
                }
            }
            for (key, member) in value.iter().filter(|(key, _)| like.get(key).is_none()) {
                out.insert(key.clone(), member.clone());
            }
            out.into()
        }
        (Value::Array(value), Value::Array(like)) => {
            let like = like.iter().chain(std::iter::repeat(&Value::Null));
            value.iter().zip(like).map(|(value, like)| ordered(value, like)).collect::<Vec<_>>().into()
        }
        _ => value.clone(),
    }
}

/// Where `value` does not hold what `part` says, a line each.
pub(super) fn missing(value: &Value, part: &Value, place: &str, out: &mut Vec<String>) {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            for (key, part) in part.iter() {
                let place = format!("{place}.{key}");
                match value.get(key) {
                    Some(value) => missing(value, part, &place, out),
                    None => out.push(format!("- {place}: {part} (there is no such member)")),
                }
            }
        }
        (Value::Array(value), Value::Array(part)) if value.len() == part.len() => {
            for (at, (value, part)) in value.iter().zip(part.iter()).enumerate() {
                missing(value, part, &format!("{place}[{at}]"), out);
            }
        }
        _ if value == part => {}
        _ => out.extend([format!("- {place}: {part}"), format!("+ {place}: {value}")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_are_marked_and_far_ones_left_out() {
        let diff = lines(&texts(&["a", "b", "c"]), &texts(&["a", "x", "c", "d"]));
        assert_eq!(diff, ["  a", "- b", "+ x", "  c", "+ d"]);
        let long: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let mut other = long.clone();
        other[10] = "ten".to_owned();
        assert_eq!(lines(&long, &other).len(), 2 + 2 * CONTEXT + 2);
        let huge = vec![String::new(); MAX_LINES + 1];
        assert_eq!(lines(&huge, &long)[0], "first difference in line 1:");
    }

    #[test]
    fn json_differs_in_what_it_says_not_in_its_order() {
        let (a, b): (Value, Value) = (
            r#"{"x": 1, "y": [{"p": 1, "q": 2}]}"#.parse().unwrap(),
            r#"{"y": [{"q": 2, "p": 1}], "x": 1}"#.parse().unwrap(),
        );
        assert_eq!(json(&b, &a), json(&a, &a));
        let mut out = Vec::new();
        missing(&a, &r#"{"x": 2, "y": [{"p": 1, "z": 0}]}"#.parse().unwrap(), "$", &mut out);
        assert_eq!(out, ["- $.x: 2", "+ $.x: 1", "- $.y[0].z: 0 (there is no such member)"]);
    }
}
