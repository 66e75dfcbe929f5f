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
    let parsed: Option<Value> = cause.parse().ok();
    match parsed.as_ref().and_then(|value| value["errorMessage"].as_str()) {
        Some(message) => message.to_owned(),
        None => cause.to_owned(),
    }
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
