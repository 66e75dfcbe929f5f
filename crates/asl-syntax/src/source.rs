//! The text of a definition, with its `${Key}` substitutions and the way back to the original places.

use asl_expr::nearest;
use asl_value::{Span, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The text of a definition.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    original: Arc<str>,
    text: Arc<str>,
    /// The replaced places, in order.
    replaced: Vec<Replaced>,
    /// The text that `original` was made of, and what came from where.
    outer: Option<Arc<Outer>>,
}

/// A file that a definition is part of.
#[derive(Debug)]
struct Outer {
    text: Arc<str>,
    origins: Vec<Origin>,
}

/// Where a part of a text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The part, in bytes.
    pub new: Span,
    /// Its place in the text it was made of.
    pub old: Span,
    /// Both are the same text, byte for byte.
    pub same: bool,
}

/// One place where a `${Key}` became its value.
#[derive(Clone, Copy, Debug)]
struct Replaced {
    old: Span,
    new: Span,
}

/// `${Key}`s for which no value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingBindings {
    /// Each key once, in the order of the text.
    pub bindings: Vec<MissingBinding>,
}

/// One `${Key}` without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingBinding {
    /// The key.
    pub key: String,
    /// Where it stands in the original text, in bytes.
    pub spans: Vec<Span>,
    /// A given key that is nearly the same.
    pub suggestion: Option<String>,
}

impl fmt::Display for MissingBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value is given for ")?;
        for (i, binding) in self.bindings.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}${{{}}}", binding.key)?;
            if let Some(near) = &binding.suggestion {
                write!(f, " (did you mean ${{{near}}}?)")?;
            }
        }
        f.write_str("; give each one a value")
    }
}

impl std::error::Error for MissingBindings {}

impl Source {
    /// A text as it is. `name` is what messages call it, usually the file's name.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Source {
        let text = text.into();
        Source { name: name.into(), original: text.clone(), text, replaced: Vec::new(), outer: None }
    }

    /// The same text, made of parts of another file, `file`: places are told in that one. `origins` are in order and do not
    /// overlap.
    pub fn made_of(self, file: impl Into<Arc<str>>, origins: Vec<Origin>) -> Source {
        Source { outer: Some(Arc::new(Outer { text: file.into(), origins })), ..self }
    }

    /// A text in which each `${Key}` is replaced by its value, as the `DefinitionSubstitutions` of SAM and CloudFormation do.
    /// In JSON text a value inside of a string is escaped; outside of strings it stands as it is, so numbers and
    /// booleans need no quotes. YAML text takes values as they are.
    ///
    /// # Errors
    /// When a `${Key}` has no value; all of them are told.
    pub fn with_substitutions(
        name: impl Into<Arc<str>>,
        text: impl Into<Arc<str>>,
        values: &BTreeMap<String, String>,
    ) -> Result<Source, MissingBindings> {
        let original: Arc<str> = text.into();
        let is_json = original.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{');
        let mut text = String::with_capacity(original.len());
        let mut replaced = Vec::new();
        let mut missing: Vec<MissingBinding> = Vec::new();
        let mut copied = 0;
        let mut quotes = Quotes::default();
        for (old, key) in (Placeholders { text: &original, at: 0 }) {
            quotes.read(&original[copied..old.start]);
            text.push_str(&original[copied..old.start]);
            copied = old.end;
            let Some(value) = values.get(key) else {
                note_missing(&mut missing, key, old, values);
                continue;
            };
            let start = text.len();
            if is_json && quotes.inside {
                text.push_str(&escaped(value))
            } else {
                text.push_str(value)
            }
            replaced.push(Replaced { old, new: Span { start, end: text.len() } });
        }
        if !missing.is_empty() {
            return Err(MissingBindings { bindings: missing });
        }
        text.push_str(&original[copied..]);
        Ok(Source { name: name.into(), original, text: text.into(), replaced, outer: None })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text after substitutions: what is parsed.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The text as it was given, or the file that it was made of: what [`crate::Diagnostic::span`] points into.
    pub fn original(&self) -> &Arc<str> {
        self.outer.as_ref().map_or(&self.original, |outer| &outer.text)
    }

    /// The line and the column, both from 1, of a byte of the original text; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let original = self.original();
        let mut offset = offset.min(original.len());
        while !original.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &original[..offset];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.bytes().filter(|b| *b == b'\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The place in the original text of a place in the substituted one. A place inside of a value becomes its whole `${Key}`.
    pub fn original_span(&self, span: Span) -> Span {
        let (start, end) = (self.original_offset(span.start, false), self.original_offset(span.end, true));
        // Nothing, where a value is empty, lies after that value as a start and before it as an end.
        let span = Span { start: start.min(end), end: start.max(end) };
        self.outer.as_ref().map_or(span, |outer| outer.span(span))
    }

    fn original_offset(&self, offset: usize, is_end: bool) -> usize {
        let after = self.replaced.partition_point(|r| r.new.start < offset || (r.new.start == offset && !is_end));
        match after.checked_sub(1).map(|i| self.replaced[i]) {
            Some(Replaced { old, new }) if offset >= new.end => old.end + (offset - new.end),
            Some(Replaced { old, .. }) => {
                if is_end {
                    old.end
                } else {
                    old.start
                }
            }
            None => offset,
        }
    }
}

impl Outer {
    fn span(&self, span: Span) -> Span {
        let start = self.offset(span.start, false);
        Span { start, end: self.offset(span.end, true).max(start) }
    }

    fn offset(&self, offset: usize, is_end: bool) -> usize {
        let after = self.origins.partition_point(|o| if is_end { o.new.start < offset } else { o.new.start <= offset });
        match after.checked_sub(1).map(|i| self.origins[i]) {
            Some(Origin { new, old, same: true }) => old.end.min(old.start + (offset.min(new.end) - new.start)),
            Some(Origin { old, .. }) if is_end => old.end,
            Some(Origin { old, .. }) => old.start,
            None => self.origins.first().map_or(0, |origin| origin.old.start),
        }
    }
}

fn note_missing(missing: &mut Vec<MissingBinding>, key: &str, span: Span, values: &BTreeMap<String, String>) {
    if let Some(known) = missing.iter_mut().find(|m| m.key == key) {
        known.spans.push(span);
        return;
    }
    let suggestion = nearest(key, values.keys().map(String::as_str)).map(str::to_owned);
    missing.push(MissingBinding { key: key.to_owned(), spans: vec![span], suggestion });
}

fn escaped(value: &str) -> String {
    let quoted = Value::from(value.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Whether the text read so far ends inside of a JSON string.
#[derive(Default)]
struct Quotes {
    inside: bool,
    escaped: bool,
}

impl Quotes {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.inside => self.escaped = true,
                b'"' => self.inside = !self.inside,
                _ => {}
            }
        }
    }
}

/// The `${Key}`s of a text: letters, digits, `_`, `.`, `-` and `:`.
struct Placeholders<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for Placeholders<'t> {
    type Item = (Span, &'t str);

    fn next(&mut self) -> Option<(Span, &'t str)> {
        loop {
            let start = self.at + self.text[self.at..].find("${")?;
            let rest = &self.text[start + 2..];
            let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_.-:".contains(c)).unwrap_or(rest.len());
            self.at = start + 2 + len;
            if len > 0 && rest[len..].starts_with('}') {
                self.at += 1;
                return Some((Span { start, end: self.at }, &rest[..len]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn values_are_escaped_inside_of_strings_only() {
        let text = r#"{"a": "x\"${S}y", "${S}": ${N}, "keep": "$${} ${ ${a b}"}"#;
        let source = Source::with_substitutions("f", text, &values(&[("S", "q\"\n"), ("N", "12")])).unwrap();
        assert_eq!(&**source.text(), r#"{"a": "x\"q\"\ny", "q\"\n": 12, "keep": "$${} ${ ${a b}"}"#);
        assert_eq!(&**source.original(), text);
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let text = r#"["${LongKey}", "b", "${K}c"]"#;
        let source = Source::with_substitutions("f", text, &values(&[("LongKey", "v"), ("K", "longer")])).unwrap();
        for (wanted, found) in
            [("v", "${LongKey}"), ("\"b\"", "\"b\""), ("longer", "${K}"), ("nge", "${K}"), ("c", "c"), ("]", "]")]
        {
            let start = source.text().find(wanted).unwrap();
            let span = source.original_span(Span { start, end: start + wanted.len() });
            assert_eq!(&text[span.start..span.end], found, "{wanted}");
        }
    }

    #[test]
    fn places_lead_back_to_the_file_that_a_text_was_made_of() {
        let file = "A: |\n  one ${K}\nB: !Ref Two";
        let span = |text: &str, part: &str| {
            let start = text.find(part).unwrap();
            Span { start, end: start + part.len() }
        };
        let text = "one ${K}, two";
        let origins = vec![
            Origin { new: span(text, "one ${K}"), old: span(file, "one ${K}"), same: true },
            Origin { new: span(text, "two"), old: span(file, "!Ref Two"), same: false },
        ];
        let source = Source::with_substitutions("f", text, &values(&[("K", "longer")])).unwrap().made_of(file, origins);
        for (wanted, found) in [("one", "one"), ("longer", "${K}"), ("wo", "!Ref Two"), ("one longer, two", &file[7..])]
        {
            let place = source.original_span(span(source.text(), wanted));
            assert_eq!(&source.original()[place.start..place.end], found, "{wanted}");
        }
        assert_eq!(source.line_column(source.original_span(span(source.text(), "two")).start), (3, 4));
    }

    #[test]
    fn an_empty_place_at_an_empty_value_is_its_key() {
        let source = Source::with_substitutions("f", "{${Empty}}", &values(&[("Empty", "")])).unwrap();
        assert_eq!(source.original_span(Span { start: 1, end: 1 }), Span { start: 1, end: 9 });
        assert_eq!(source.original_span(Span { start: 0, end: 2 }), Span { start: 0, end: 10 });
    }

    #[test]
    fn every_missing_value_is_told_once_with_all_its_places() {
        let error =
            Source::with_substitutions("f", "${TableNam} ${X} ${X}", &values(&[("TableName", "t")])).unwrap_err();
        assert_eq!(error.bindings.len(), 2);
        assert_eq!(error.bindings[1].spans.len(), 2);
        assert_eq!(
            error.to_string(),
            "no value is given for ${TableNam} (did you mean ${TableName}?), ${X}; give each one a value"
        );
    }
}
