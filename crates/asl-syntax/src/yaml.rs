//! YAML text to the nodes of the same tree: what JSON can say, nothing more.
//!
//! Numbers that YAML 1.1 and 1.2 read differently (`0123`) are refused, because the tools that would carry the same file to
//! AWS read them in the other way; of words (`yes`, `off`) the loader warns.

use crate::diagnostic::{Diagnostic, Rule};
use crate::json::acceptable;
use crate::source::Source;
use crate::tree::{Data, MAX_TEXT_DEPTH as MAX_DEPTH, Member, Node};
use asl_value::{Number, Span, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Span as YamlSpan, Tag};
use std::collections::HashMap;
use std::sync::Arc;

/// How many nodes a definition may have once its aliases are filled in.
const MAX_NODES: usize = 200_000;

pub(crate) fn parse(source: &Source) -> Result<Node, Box<Diagnostic>> {
    acceptable(source)?;
    let text = &**source.text();
    let mut reader =
        Reader { offsets: Offsets::new(text), open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str(text) {
        let done = match event {
            Ok((event, span)) => reader.event(event, reader.offsets.span(span)),
            Err(error) => {
                let at = reader.offsets.byte(error.marker().index());
                Err(Mistake::new(Span { start: at, end: at }, error.info()))
            }
        };
        done.map_err(|mistake| Box::new(mistake.diagnostic(source)))?;
    }
    let empty = || Mistake::new(Span::default(), "the text holds no document");
    reader.root.ok_or_else(|| Box::new(empty().diagnostic(source)))
}

/// What cannot be read, and where in the substituted text.
struct Mistake {
    rule: Rule,
    span: Span,
    message: String,
    help: &'static str,
}

impl Mistake {
    fn new(span: Span, message: impl Into<String>) -> Mistake {
        Mistake { rule: Rule::YamlSyntax, span, message: message.into(), help: "" }
    }

    fn help(mut self, help: &'static str) -> Mistake {
        self.help = help;
        self
    }

    fn diagnostic(self, source: &Source) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.rule, self.message);
        diagnostic.span = Some(source.original_span(self.span));
        if !self.help.is_empty() {
            diagnostic.help(self.help);
        }
        diagnostic
    }
}

/// From the parser's characters to bytes.
struct Offsets {
    /// The byte of each character; empty when they are the same.
    bytes: Vec<usize>,
    len: usize,
}

impl Offsets {
    fn new(text: &str) -> Offsets {
        let bytes = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(i, _)| i).collect() };
        Offsets { bytes, len: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        if self.bytes.is_empty() { index.min(self.len) } else { self.bytes.get(index).copied().unwrap_or(self.len) }
    }

    fn span(&self, span: YamlSpan) -> Span {
        let start = self.byte(span.start.index());
        Span { start, end: self.byte(span.end.index()).max(start) }
    }
}

/// A collection that is not closed yet.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    Array(Vec<Node>),
    Object(Vec<Member>, Option<(Arc<str>, Span)>),
}

struct Reader {
    offsets: Offsets,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Mistake> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_only = style != ScalarStyle::Plain || tag.as_ref().is_some_and(|tag| is_text(tag));
                known_tag(tag.as_deref(), span)?;
                let value = if text_only { Value::from(&*text) } else { plain(&text, span)? };
                self.add(Node { span, data: Data::Scalar(value) }, anchor, Some(&text))
            }
            Event::SequenceStart(anchor, tag) => self.start(Content::Array(Vec::new()), anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => {
                self.start(Content::Object(Vec::new(), None), anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let mut node =
                    self.anchors.get(&anchor).cloned().ok_or_else(|| Mistake::new(span, "an alias of itself"))?;
                self.count(size(&node), span)?;
                node.span = span;
                self.add(node, 0, None)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Mistake::new(span, "the text holds more than one document"))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Mistake> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(Mistake::new(span, format!("the document has more than {MAX_NODES} nodes, aliases filled in")));
        }
        Ok(())
    }

    fn start(&mut self, content: Content, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Mistake> {
        known_tag(tag, span)?;
        if self.open.len() >= MAX_DEPTH {
            let mistake = Mistake::new(span, format!("nested deeper than {MAX_DEPTH} levels"));
            return Err(Mistake { rule: Rule::TooDeep, ..mistake });
        }
        self.open.push(Open { start: span.start, anchor, content });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Mistake> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let data = match open.content {
            Content::Array(items) => Data::Array(items),
            Content::Object(members, _) => Data::Object(members),
        };
        let end = span.end.max(open.start);
        self.add(Node { span: Span { start: open.start, end }, data }, open.anchor, None)
    }

    /// Puts a whole node where it belongs; `text` is that of a scalar, which may be a key.
    fn add(&mut self, node: Node, anchor: usize, text: Option<&str>) -> Result<(), Mistake> {
        let span = node.span;
        self.count(1, span)?;
        if anchor > 0 {
            self.count(size(&node), span)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::Array(items)) => items.push(node),
            Some(Content::Object(members, key)) => match key.take() {
                Some((key, key_span)) => members.push(Member { key, key_span, value: node }),
                None => {
                    let name = text.or_else(|| node.as_str());
                    match name {
                        Some("<<") => {
                            return Err(
                                Mistake::new(span, "merge keys (<<) are not supported").help("write the members out")
                            );
                        }
                        Some(name) => *key = Some((name.into(), span)),
                        None => return Err(Mistake::new(span, "a key must be a text")),
                    }
                }
            },
        }
        Ok(())
    }
}

/// How many nodes there are in a node.
fn size(node: &Node) -> usize {
    match &node.data {
        Data::Scalar(_) => 1,
        Data::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Data::Object(members) => 1 + members.iter().map(|m| size(&m.value)).sum::<usize>(),
    }
}

fn is_text(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "str"
}

fn known_tag(tag: Option<&Tag>, span: Span) -> Result<(), Mistake> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            Err(Mistake::new(span, format!("the tag {}{} is not supported", tag.handle, tag.suffix))
                .help("use ${Key} substitutions instead of the functions of CloudFormation"))
        }
        _ => Ok(()),
    }
}

/// The value of a scalar without quotes (YAML 1.2, core schema).
fn plain(text: &str, span: Span) -> Result<Value, Mistake> {
    let quote =
        |what: &str| Mistake::new(span, format!("`{text}` {what}")).help("put it in quotes, or write what is meant");
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(quote("is octal in YAML 1.1 and decimal in YAML 1.2"));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(number) = text.strip_prefix(prefix).and_then(|d| i64::from_str_radix(d, radix).ok()) {
            return Ok(Value::from(number));
        }
    }
    if let Some(number) = Number::parse(text.strip_prefix('+').unwrap_or(text)) {
        return Ok(number.into());
    }
    let looks_numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>().ok().filter(|_| looks_numeric).and_then(Number::from_f64) {
        Some(number) => Ok(number.into()),
        None if [".inf", ".nan"].contains(&digits.to_ascii_lowercase().as_str()) => Err(quote("is no JSON number")),
        None => Ok(Value::from(text)),
    }
}
