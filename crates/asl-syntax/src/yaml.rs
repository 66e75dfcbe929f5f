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
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many nodes a definition may have once its aliases are filled in.
const MAX_NODES: usize = 200_000;

/// What tags mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// Nothing: they are refused.
    Refused,
    /// The short forms of CloudFormation's functions, in a template: `!Sub x` is `{"Fn::Sub": "x"}`.
    Functions,
}

pub(crate) fn parse(source: &Source, tags: Tags) -> Result<Node, Box<Diagnostic>> {
    acceptable(source)?;
    let text = &**source.text();
    let mut reader =
        Reader { tags, offsets: Offsets::new(text), open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
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
    function: Option<Arc<str>>,
    content: Content,
}

enum Content {
    Array(Vec<Node>),
    Object(Vec<Member>, Option<(Arc<str>, Span)>),
}

struct Reader {
    tags: Tags,
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
                let function = self.function(tag.as_deref(), span)?;
                let value = match (text_only, self.tags) {
                    (true, _) => Value::from(&*text),
                    (false, Tags::Functions) => word_1_1(&text).map_or_else(|| plain(&text, span), Ok)?,
                    (false, Tags::Refused) => plain(&text, span)?,
                };
                let node = Node { span, data: Data::Scalar(value) };
                match function {
                    Some(function) => self.add(call(function, node), anchor, None),
                    None => self.add(node, anchor, Some(&text)),
                }
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
        let function = self.function(tag, span)?;
        if self.open.len() >= MAX_DEPTH {
            let mistake = Mistake::new(span, format!("nested deeper than {MAX_DEPTH} levels"));
            return Err(Mistake { rule: Rule::TooDeep, ..mistake });
        }
        self.open.push(Open { start: span.start, anchor, function, content });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Mistake> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let data = match open.content {
            Content::Array(items) => Data::Array(items),
            Content::Object(members, _) => Data::Object(merged(members)?),
        };
        let end = span.end.max(open.start);
        let node = Node { span: Span { start: open.start, end }, data };
        let node = match open.function {
            Some(function) => call(function, node),
            None => node,
        };
        self.add(node, open.anchor, None)
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
                        Some("<<") if self.tags == Tags::Refused => {
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

/// The members of an object, with those that `<<` names under its own. The readers of AWS's tools know it; a definition is
/// refused with it before.
fn merged(members: Vec<Member>) -> Result<Vec<Member>, Mistake> {
    if !members.iter().any(|member| &*member.key == "<<") {
        return Ok(members);
    }
    let (merges, mut own): (Vec<Member>, Vec<Member>) = members.into_iter().partition(|member| &*member.key == "<<");
    let mut known: HashSet<Arc<str>> = own.iter().map(|member| member.key.clone()).collect();
    for merge in merges {
        let span = merge.value.span;
        let sources = match merge.value.data {
            Data::Array(items) => items,
            data => vec![Node { span, data }],
        };
        for source in sources {
            let Data::Object(members) = source.data else {
                return Err(Mistake::new(source.span, "a merge key (<<) takes an object or a list of them"));
            };
            own.extend(members.into_iter().filter(|member| known.insert(member.key.clone())));
        }
    }
    Ok(own)
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

/// The functions of CloudFormation that have a short form `!NAME`, without their `Fn::`.
const FUNCTIONS: [&str; 20] = [
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Contains",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Ref",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
];

impl Reader {
    /// The function that a tag is the short form of.
    fn function(&self, tag: Option<&Tag>, span: Span) -> Result<Option<Arc<str>>, Mistake> {
        let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) else { return Ok(None) };
        let unknown = || Mistake::new(span, format!("the tag {}{} is not supported", tag.handle, tag.suffix));
        match self.tags {
            Tags::Refused => Err(unknown().help("use ${Key} substitutions instead of the functions of CloudFormation")),
            Tags::Functions => match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => Ok(Some(name.into())),
                "Transform" => Ok(Some("Fn::Transform".into())),
                name if FUNCTIONS.contains(&name) => Ok(Some(format!("Fn::{name}").into())),
                _ => Err(unknown().help("the short forms are !Ref, !GetAtt, !Sub, !Join, !If and their like")),
            },
        }
    }
}

/// The long form of a function's call.
fn call(function: Arc<str>, argument: Node) -> Node {
    let span = argument.span;
    Node { span, data: Data::Object(vec![Member { key: function, key_span: span, value: argument }]) }
}

/// The words that the YAML readers of AWS's own tools (YAML 1.1) take as booleans; `y` and `n` are texts there.
fn word_1_1(text: &str) -> Option<Value> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(Value::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(Value::Bool(false)),
        "y" | "Y" | "n" | "N" => Some(Value::from(text)),
        _ => None,
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
