//! `EnvironmentFile`: variables in the common form of `.env` files.
//!
//! A line is `NAME=value`, with `export ` before it if one likes; empty lines and those that begin with `#` are passed over. In
//! double quotes `\n`, `\r`, `\t`, `\\`, `\"` and `\$` are escapes; in single quotes nothing is; without quotes the value ends at
//! ` #`, and its outer spaces are cut off. Nothing is substituted.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

const MAX_BYTES: u64 = 1 << 20;

/// The variables of a file.
///
/// # Errors
/// What goes behind the file's name in a message: ` cannot be read ...` or `:3: ...`.
pub(super) fn read(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let unread = |problem: std::io::Error| format!(" cannot be read: {problem}");
    let mut text = String::new();
    if !std::fs::metadata(file).map_err(unread)?.is_file() {
        return Err(" is not a file".to_owned());
    }
    let opened = std::fs::File::open(file).map_err(unread)?;
    opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(" is larger than 1 MB".to_owned());
    }
    parse(&text)
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| format!(":{number}: {what}");
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("there is no `=` in this line"))?;
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(legal) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong(&format!("`{name}` cannot be the name of a variable: letters, digits and `_`")));
        }
        let value = value_of(value.trim()).map_err(|what| wrong(&what))?;
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

fn value_of(text: &str) -> Result<String, String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let plain = text.find(" #").map_or(text, |end| &text[..end]);
        return match plain.contains('\0') {
            true => Err("a value cannot contain the character U+0000".to_owned()),
            false => Ok(plain.trim_end().to_owned()),
        };
    };
    let mut value = String::new();
    let mut chars = text[1..].chars();
    loop {
        match chars.next() {
            None => return Err(format!("the quote {quote} is not closed in this line")),
            Some(c) if c == quote => break,
            Some('\0') => return Err("a value cannot contain the character U+0000".to_owned()),
            Some('\\') if quote == '"' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(c @ ('\\' | '"' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => return Err("a backslash ends this line".to_owned()),
            },
            Some(c) => value.push(c),
        }
    }
    match chars.as_str().trim() {
        rest if rest.is_empty() || rest.starts_with('#') => Ok(value),
        _ => Err(format!("something follows the closing {quote}")),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_become_variables() {
        let table = [
            ("A=1", "1"),
            ("export A = x y # and why", "x y"),
            ("# not this\n\nA=", ""),
            ("A=http://h/#frag", "http://h/#frag"),
            ("A='a \"b\" $c \\n # d' # e", "a \"b\" $c \\n # d"),
            (r#"A="a\n\"b\" \$c \d""#, "a\n\"b\" $c \\d"),
            ("A=1\nA=2", "2"),
            ("\u{feff}A=b=c\r\n", "b=c"),
        ];
        for (text, value) in table {
            assert_eq!(parse(text).unwrap()["A"], value, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let table = [
            ("A=1\nB", ":2: there is no `=`"),
            ("1A=2", ":1: `1A` cannot be the name"),
            ("=2", ":1: `` cannot be"),
            ("A=\"x", ":1: the quote \" is not closed"),
            ("A='x'y", ":1: something follows"),
            ("A=\"x\\", ":1: a backslash ends"),
            ("A=\0", ":1: a value cannot contain"),
        ];
        for (text, told) in table {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(told), "{text}: {problem}");
        }
    }
}
