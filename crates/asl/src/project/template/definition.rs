//! Definitions that stand in the template: their text, and which part of it came from where.

use super::super::error::Problem;
use super::function::{Part, called};
use super::scope::Scope;
use asl_syntax::{Data, Node, Origin, Span};
use asl_value::Value;
use std::collections::BTreeMap;

/// What SAM calls the values that it takes out of a `Definition`.
fn substitution(number: usize) -> String {
    format!("definition_substitution_{number}")
}

/// A text in the making, with its origins.
struct Text<'t> {
    file: &'t str,
    text: String,
    origins: Vec<Origin>,
}

impl Text<'_> {
    fn push(&mut self, text: &str, old: Span) {
        let start = self.text.len();
        self.text.push_str(text);
        let same = self.file.get(old.start..old.end) == Some(text);
        self.origins.push(Origin { new: Span { start, end: self.text.len() }, old, same });
    }

    /// One character of a collection's beginning or end.
    fn bracket(&mut self, bracket: &str, at: usize) {
        self.push(bracket, Span { start: at, end: at });
    }

    /// Text that stands in the file between `cursor` and `end`, line by line as it is written there; the rest of a text that
    /// is written otherwise (escaped, folded) is all of `whole`.
    fn aligned(&mut self, text: &str, whole: Span, cursor: &mut usize) {
        let mut rest = text;
        while !rest.is_empty() {
            let line = rest.split_inclusive('\n').next().unwrap_or(rest);
            let written = line.trim_end_matches('\n');
            let found = self.file.get(*cursor..whole.end).and_then(|between| between.find(written));
            let Some(found) = found else {
                *cursor = whole.end;
                return self.push(rest, whole);
            };
            let start = *cursor + found;
            *cursor = start + written.len();
            self.push(line, Span { start, end: (start + line.len()).min(self.file.len()) });
            rest = &rest[line.len()..];
        }
    }
}

impl Scope<'_> {
    /// SAM's `Definition`: an object, whose functions become substitutions of their own, as SAM makes them.
    ///
    /// # Errors
    /// A value cannot be resolved, or is no text.
    pub(super) fn sam_definition(
        &self,
        node: &Node,
        substitutions: &mut BTreeMap<String, String>,
    ) -> Result<(String, Vec<Origin>), Box<Problem>> {
        let mut numbers = BTreeMap::new();
        number(node, &mut numbers);
        for (number, call) in numbers.values() {
            let value = self
                .text_of(call)?
                .ok_or_else(|| self.problem(call.span, "a definition takes a text here", "give it a value"))?;
            substitutions.insert(substitution(*number), value);
        }
        let mut text = Text { file: &self.text, text: String::new(), origins: Vec::new() };
        write(node, &mut text, Some(&numbers));
        Ok((text.text, text.origins))
    }

    /// CloudFormation's `Definition`: an object with its functions called.
    ///
    /// # Errors
    /// As [`Scope::resolve`].
    pub(super) fn object_definition(&self, node: &Node) -> Result<(String, Vec<Origin>), Box<Problem>> {
        let node = self.resolved(node)?;
        let mut text = Text { file: &self.text, text: String::new(), origins: Vec::new() };
        write(&node, &mut text, None);
        Ok((text.text, text.origins))
    }

    /// `DefinitionString`: a text, usually with functions in it.
    ///
    /// # Errors
    /// As [`Scope::resolve`].
    pub(super) fn text_definition(&self, node: &Node) -> Result<(String, Vec<Origin>), Box<Problem>> {
        let mut text = Text { file: &self.text, text: String::new(), origins: Vec::new() };
        let mut cursor = node.span.start;
        match called(node) {
            Some(("Fn::Sub", argument)) => {
                cursor = argument.span.start;
                self.each_part(argument, |part| {
                    match part {
                        Part::Literal(literal) => text.aligned(literal, argument.span, &mut cursor),
                        Part::Value(value, whole, written) => {
                            let found = self.text.get(cursor..whole.end).and_then(|between| between.find(written));
                            let old = found.map_or(whole, |found| {
                                let start = cursor + found;
                                cursor = start + written.len();
                                Span { start, end: cursor }
                            });
                            text.push(&value, old);
                        }
                    }
                    if text.text.len() > super::scope::MAX_TEXT_BYTES {
                        return self.count(text.text.len(), argument.span);
                    }
                    Ok(())
                })?;
            }
            None if node.as_str().is_some() => {
                text.aligned(node.as_str().unwrap_or_default(), node.span, &mut cursor);
            }
            _ => {
                let whole = self.text_of(node)?;
                let whole = whole.ok_or_else(|| self.problem(node.span, "the definition has no value", ""))?;
                text.push(&whole, node.span);
            }
        }
        Ok((text.text, text.origins))
    }
}

/// The functions in a definition by their place, numbered as SAM does: members by name, elements in order.
fn number<'n>(node: &'n Node, numbers: &mut BTreeMap<usize, (usize, &'n Node)>) {
    let mut each = |child: &'n Node| match called(child).is_some() || is_dynamic(child) {
        true => {
            let next = numbers.len() + 1;
            numbers.entry(key(child)).or_insert((next, child));
        }
        false => number(child, numbers),
    };
    match &node.data {
        Data::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.key.cmp(&b.key));
            sorted.into_iter().for_each(|member| each(&member.value));
        }
        Data::Array(items) => items.iter().for_each(each),
        Data::Scalar(_) => {}
    }
}

/// `{{resolve:SERVICE:KEY}}`, which SAM takes out of a definition too. What it stands for is known to AWS alone.
fn is_dynamic(node: &Node) -> bool {
    let inside = node.as_str().and_then(|text| text.strip_prefix("{{resolve:")?.strip_suffix("}}"));
    inside.and_then(|text| text.split_once(':')).is_some_and(|(service, key)| {
        !service.is_empty() && !key.is_empty() && service.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    })
}

/// What tells a function's call from every other: where it stands in memory, since an alias of YAML has its place alone.
fn key(node: &Node) -> usize {
    std::ptr::from_ref(node) as usize
}

fn write(node: &Node, text: &mut Text<'_>, numbers: Option<&BTreeMap<usize, (usize, &Node)>>) {
    if let Some((number, _)) = numbers.and_then(|numbers| numbers.get(&key(node))) {
        return text.push(&format!("\"${{{}}}\"", substitution(*number)), node.span);
    }
    match &node.data {
        Data::Scalar(value) => text.push(&value.to_string(), node.span),
        Data::Array(items) => {
            text.bracket("[", node.span.start);
            for (index, item) in items.iter().enumerate() {
                text.text.push_str(if index > 0 { "," } else { "" });
                write(item, text, numbers);
            }
            text.bracket("]", node.span.end);
        }
        Data::Object(members) => {
            text.bracket("{", node.span.start);
            for (index, member) in members.iter().enumerate() {
                text.text.push_str(if index > 0 { "," } else { "" });
                text.push(&Value::from(&member.key).to_string(), member.key_span);
                text.text.push(':');
                write(&member.value, text, numbers);
            }
            text.bracket("}", node.span.end);
        }
    }
}
