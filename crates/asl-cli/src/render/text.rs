//! Small texts: durations, one-liners, JSON for people or for pipes.

use asl::Value;
use asl_render::is_control;
use std::io::IsTerminal;

/// A duration as people say it: `12 ms`, `1.2 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms % 1000 < 100 => format!("{seconds} s"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// `1 execution`, `2 executions`: a count, and the plural where it is not one.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// One line of at most `width` characters: line ends and other controls become blanks, what is too long ends in `…`.
pub(crate) fn one_line(text: &str, width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    // Not more than is needed is looked at: texts may be large.
    let mut line: String = text
        .trim_end()
        .chars()
        .map(|c| if c.is_control() || is_control(c) { ' ' } else { c })
        .take(width.saturating_add(1))
        .collect();
    if line.chars().count() > width {
        let cut = line.char_indices().nth(width.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// JSON for stdout, with its line end: indented for a terminal, compact for a pipe.
pub(crate) fn json(value: &Value) -> String {
    if std::io::stdout().is_terminal() { format!("{value:#}\n") } else { format!("{value}\n") }
}

/// What a cause says in one line: the `errorMessage` of a function's JSON, or the text itself.
pub(crate) fn gist(cause: &str) -> String {
    let Ok(parsed) = cause.parse::<Value>() else { return cause.to_owned() };
    let Some(message) = parsed["errorMessage"].as_str() else { return cause.to_owned() };
    match handler_place(&parsed) {
        Some((file, line)) => {
            let file = crate::common::place::shorter(std::path::Path::new(file));
            format!("{message} ({}:{line})", file.display())
        }
        None => message.to_owned(),
    }
}

/// File and line where a function failed, from the trace of its runtime: the place in its own code, not in a library's.
fn handler_place(error: &Value) -> Option<(&str, &str)> {
    let frames = |name: &str| error[name].as_array().unwrap_or_default().iter().filter_map(Value::as_str);
    // Python tells the innermost frame last, Node first.
    let python = frames("stackTrace").filter_map(python_frame).rfind(|(file, _)| !is_library(file));
    python.or_else(|| frames("trace").filter_map(node_frame).find(|(file, _)| !is_library(file)))
}

fn is_library(file: &str) -> bool {
    !file.starts_with('/')
        || ["/site-packages/", "/lib/python", "/node_modules/"].iter().any(|part| file.contains(part))
}

/// `  File "/code/f.py", line 3, in f`, and of a syntax error `  File "/code/f.py" Line 3`.
fn python_frame(frame: &str) -> Option<(&str, &str)> {
    let (file, rest) = frame.trim_start().strip_prefix("File \"")?.split_once('"')?;
    let rest = rest.strip_prefix(", line ").or_else(|| rest.strip_prefix(" Line "))?;
    Some((file, rest.split(|c: char| !c.is_ascii_digit()).next()?))
}

/// `    at handler (/code/f.js:3:9)`, `    at file:///code/f.mjs:3:9`, and of a syntax error `    at /code/f.js:3`.
fn node_frame(frame: &str) -> Option<(&str, &str)> {
    let at = frame.strip_prefix("    at ")?;
    let at = at.rsplit_once('(').map_or(at, |(_, at)| at.trim_end_matches(')'));
    let at = at.strip_prefix("async ").unwrap_or(at);
    let at = at.strip_prefix("file://").unwrap_or(at);
    let mut parts = at.splitn(3, ':');
    let (file, line) = (parts.next()?, parts.next()?);
    line.bytes().all(|b| b.is_ascii_digit()).then_some((file, line))
}

/// A cause in full: JSON is indented, other text stays.
pub(crate) fn whole(cause: &str) -> String {
    let parsed: Result<Value, _> = cause.parse();
    match parsed {
        Ok(value) if value.as_object().is_some() || value.as_array().is_some() => format!("{value:#}"),
        _ => cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_functions_have_a_place() {
        let table = [
            (
                r#"{"errorMessage": "m", "stackTrace": ["  File \"/c/f.py\", line 12, in f\n    g()\n", "  File \"/usr/lib/python3.11/json/x.py\", line 3, in g\n"]}"#,
                "m (/c/f.py:12)",
            ),
            (r#"{"errorMessage": "m", "stackTrace": ["  File \"/c/f.py\" Line 2\n    x ="]}"#, "m (/c/f.py:2)"),
            (
                r#"{"errorMessage": "m", "trace": ["E: m", "    at node:fs:1:2", "    at f (/c/f.js:3:9)", "    at /c/g.js:1:1"]}"#,
                "m (/c/f.js:3)",
            ),
            (r#"{"errorMessage": "m", "trace": ["E: m", "    at async file:///c/f.mjs:4:9"]}"#, "m (/c/f.mjs:4)"),
            (r#"{"errorMessage": "m", "trace": ["S: m", "    at /c/f.js:2", "const x = {;"]}"#, "m (/c/f.js:2)"),
            (r#"{"errorMessage": "m", "trace": []}"#, "m"),
            (r#"{"errorMessage": "m", "stackTrace": [7, "File"], "trace": "x"}"#, "m"),
            ("no JSON", "no JSON"),
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
        ];
        for (cause, expected) in table {
            assert_eq!(gist(cause), expected, "{cause}");
        }
    }

    #[test]
    fn durations() {
        let table = [
            (-5, "0 ms"),
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_250, "1.2 s"),
            (59_999, "59.9 s"),
            (184_000, "3 min 4 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, text) in table {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn lines_fit() {
        assert_eq!(one_line("a\nb\tc", None), "a b c");
        assert_eq!(one_line("äöüß", Some(4)), "äöüß");
        assert_eq!(one_line("äöüßx", Some(4)), "äöü…");
        assert_eq!(one_line("x", Some(0)), "…");
    }
}
