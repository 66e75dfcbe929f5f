//! JSON files: small ones are read whole, of larger ones item by item.

use super::text::{MAX_ITEM_BYTES, Text};
use super::{Limit, failed, pointed};
use crate::event::Failure;
use asl_value::Value;

/// Up to this many bytes a file is parsed as one document, with all that is to be said about it.
const WHOLE_BYTES: usize = MAX_ITEM_BYTES;

/// The items at `ItemsPointer`: an array of them, or an object.
pub(super) fn document(config: &Value, text: &mut Text<'_>, limit: Limit) -> Result<Value, Failure> {
    let pointer = config["ItemsPointer"].as_str().unwrap_or_default();
    text.gather(WHOLE_BYTES)?;
    if text.is_all() { whole(text.rest(), pointer) } else { streamed(text, pointer, limit) }
}

fn whole(text: &str, pointer: &str) -> Result<Value, Failure> {
    let json: Value = text.parse().map_err(|e| failed(format!("The file is not JSON: {e}")))?;
    match pointed(&json, pointer).ok_or_else(|| nothing_at(pointer))? {
        items @ (Value::Array(_) | Value::Object(_)) => Ok(items.clone()),
        _ => Err(not_iterable()),
    }
}

/// Reads no further than to the last item that is wanted. Of members with the same name the first one counts.
fn streamed(text: &mut Text<'_>, pointer: &str, limit: Limit) -> Result<Value, Failure> {
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if !go_to(text, &token)? {
            return Err(nothing_at(pointer));
        }
    }
    match peek(text)? {
        b'[' => items(text, limit, pointer.is_empty()),
        b'{' => item(text),
        _ => Err(not_iterable()),
    }
}

fn nothing_at(pointer: &str) -> Failure {
    failed(format!("The ItemsPointer '{pointer}' points at nothing in the file"))
}

fn not_iterable() -> Failure {
    failed("Attempting to map over non-iterable node.")
}

fn items(text: &mut Text<'_>, limit: Limit, is_whole_file: bool) -> Result<Value, Failure> {
    let mut found = Vec::new();
    let mut members = Members::enter(text);
    while !limit.reached(found.len()) {
        if !members.next(text)? {
            if is_whole_file && peek(text).is_ok() {
                return Err(failed("The file is not JSON: something follows its end"));
            }
            break;
        }
        found.push(item(text)?);
    }
    Ok(Value::from(found))
}

/// Goes to the member or element `token` of the value that begins here; false if there is none.
fn go_to(text: &mut Text<'_>, token: &str) -> Result<bool, Failure> {
    let is_object = match peek(text)? {
        b'{' => true,
        b'[' => false,
        _ => return Ok(false),
    };
    let mut members = Members::enter(text);
    let mut index = 0_usize;
    while members.next(text)? {
        let is_it = if is_object {
            let key = item(text)?;
            expect(text, b':')?;
            key.as_str() == Some(token)
        } else {
            token.parse() == Ok(index)
        };
        if is_it {
            return Ok(true);
        }
        skip(text)?;
        index += 1;
    }
    Ok(false)
}

/// Walks over the members of an array or object.
struct Members {
    is_first: bool,
}

impl Members {
    /// Behind the opening bracket.
    fn enter(text: &mut Text<'_>) -> Members {
        text.pass(1);
        Members { is_first: true }
    }

    /// Goes to the next member, or behind the closing bracket.
    fn next(&mut self, text: &mut Text<'_>) -> Result<bool, Failure> {
        let is_first = std::mem::take(&mut self.is_first);
        match peek(text)? {
            b']' | b'}' => {
                text.pass(1);
                return Ok(false);
            }
            _ if is_first => return Ok(true),
            _ => expect(text, b',')?,
        }
        peek(text).map(|_| true)
    }
}

fn expect(text: &mut Text<'_>, wanted: u8) -> Result<(), Failure> {
    let found = peek(text)?;
    if found != wanted {
        let (found, wanted) = (char::from(found), char::from(wanted));
        return Err(failed(format!("The file is not JSON: there is a `{found}` where a `{wanted}` should be")));
    }
    text.pass(1);
    Ok(())
}

/// The first byte that is no white space.
fn peek(text: &mut Text<'_>) -> Result<u8, Failure> {
    loop {
        let rest = text.rest();
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        text.pass(blank);
        match text.rest().bytes().next() {
            Some(byte) => return Ok(byte),
            None if text.is_all() => return Err(failed("The file is not JSON: it ends too early")),
            None => text.read_on("value")?,
        }
    }
}

/// The value that begins here.
fn item(text: &mut Text<'_>) -> Result<Value, Failure> {
    peek(text)?;
    let mut scan = Scan::default();
    let mut seen = 0;
    let length = loop {
        let rest = text.rest();
        match scan.end(&rest.as_bytes()[seen..]) {
            Some(end) => break seen + end,
            None if text.is_all() => break rest.len(),
            None => seen = rest.len(),
        }
        text.read_on("value")?;
    };
    let value = text.rest()[..length].parse().map_err(|e| failed(format!("An item of the file is not JSON: {e}")))?;
    text.pass(length);
    Ok(value)
}

/// Passes over the value that begins here, of any length.
fn skip(text: &mut Text<'_>) -> Result<(), Failure> {
    peek(text)?;
    let mut scan = Scan::default();
    loop {
        let rest = text.rest();
        let end = scan.end(rest.as_bytes());
        let passed = end.unwrap_or(rest.len());
        text.pass(passed);
        if end.is_some() || text.is_all() {
            return Ok(());
        }
        text.read_on("value")?;
    }
}

/// Finds the end of a value by its brackets and quotes.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
    begun: bool,
}

impl Scan {
    /// How many of the next bytes belong to the value; `None` if it goes on.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'[' | b'{' => self.depth += 1,
                // What encloses a number, or it itself.
                b']' | b'}' if self.depth == 0 => return Some(at),
                b']' | b'}' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 && self.begun => return Some(at),
                _ => {}
            }
            self.begun = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Read};

    /// Both ways of reading, the second in tiny pieces.
    fn both(json: &str, pointer: &str, limit: Limit) -> (Result<Value, Failure>, Result<Value, Failure>) {
        let mut pieces = BufReader::with_capacity(3, json.as_bytes().chain(&b""[..]));
        let mut text = Text::new(&mut pieces).unwrap();
        (whole(json, pointer), streamed(&mut text, pointer, limit))
    }

    #[test]
    fn both_ways_give_the_same() {
        let documents = [
            ("[1, 2.5, -3e2,true,null , \"a\\\"]}[\",[1,[2]],{\"k\":{\"]\":1}}]", ""),
            (" [ ] ", ""),
            (r#"{"x": {"skip": ["]", {"y": "}"}], "a/b": [0, [10, "ü"]]}, "z": 1}"#, "/x/a~1b/1"),
            (r#"{"a": {"b": 1, "c": [2]}}"#, "/a"),
            (r#"[[1],[2, 3]]"#, "/1"),
        ];
        for (json, pointer) in documents {
            let (whole, streamed) = both(json, pointer, Limit(None));
            assert_eq!(streamed, whole, "{json} {pointer}");
            assert!(whole.is_ok());
        }
        let failures = [
            ("[1, 2", ""),
            ("[1 2]", ""),
            ("[1,]", ""),
            ("[1] x", ""),
            ("[1, x]", ""),
            ("7", ""),
            ("{\"a\": 1}", "/a"),
            ("{\"a\": 1}", "/b"),
            ("{\"a\": [1]}", "/a/x"),
            ("{\"a\" [1]}", "/a"),
            ("", ""),
        ];
        for (json, pointer) in failures {
            let (whole, streamed) = both(json, pointer, Limit(None));
            assert!(whole.is_err() && streamed.is_err(), "{json} {pointer}: {whole:?} {streamed:?}");
        }
    }

    #[test]
    fn reading_stops_with_the_last_item_that_is_wanted() {
        let (_, streamed) = both("[1, 2, 3, this is never read", "", Limit(Some(3)));
        assert_eq!(streamed.unwrap().to_string(), "[1,2,3]");
    }

    #[test]
    fn an_item_has_a_bound() {
        let mut endless = BufReader::new((&b"[\""[..]).chain(std::io::repeat(b'x')));
        let failure = document(&Value::empty_object(), &mut Text::new(&mut endless).unwrap(), Limit(None)).unwrap_err();
        assert!(failure.cause.unwrap().contains("longer than 8 MB"));
    }
}
