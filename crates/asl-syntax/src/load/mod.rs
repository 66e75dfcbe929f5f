//! From text to model: reads everything, reports everything, and returns a [`Definition`] when nothing is wrong.
//!
//! A reader returns `None` for what is absent and for what is wrong; what is wrong has been reported by then, and one
//! error is enough to keep the definition back, so nothing built on such a `None` is ever seen.

mod choice;
pub(crate) mod flow;
mod jsonata;
mod map;
mod read;
mod resource;
mod retry;
mod state;
mod survey;
mod task;
mod template;
mod wait;

use self::jsonata::Sees;
use self::survey::{Survey, yaml_booleans};
use crate::check::variables::Variables;
use crate::diagnostic::{Code, Diagnostic, Rule, Severity};
use crate::model::{Definition, Flow, FlowId, Language, State, StateId};
use crate::source::Source;
use crate::tree::{Item, Node};
use crate::{json, yaml};
use asl_expr::nearest;
use asl_value::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// The largest definition, in bytes (AWS quota: 1 MB).
pub const MAX_DEFINITION_BYTES: usize = 1_048_576;
/// How deep Map and Parallel states may be nested. AWS has a limit too but does not say which.
pub const MAX_STATE_DEPTH: usize = 32;
/// How many diagnostics of a severity are kept; the others are counted.
const MAX_KEPT: usize = 1000;
/// How long a location may be in bytes. That of a real definition is far shorter.
const MAX_LOCATION_BYTES: usize = 16 << 10;
/// How many bytes all that are kept may take.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// How many "did you mean" are searched for in one definition.
const MAX_SUGGESTIONS: usize = 100;

/// The type of a state machine, which decides what it may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Durable, up to a year.
    #[default]
    Standard,
    /// Short: no `.sync`, no `.waitForTaskToken`, no activities, no Distributed Map.
    Express,
}

/// How the text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON
    #[default]
    Json,
    /// YAML, of which what JSON can say is used.
    Yaml,
}

/// What a definition is loaded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The type of the state machine.
    pub kind: Kind,
    /// How the text is written.
    pub format: Format,
    /// Gives warnings that AWS does not have ([`Code::Lint`]).
    pub lints: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { kind: Kind::Standard, format: Format::Json, lints: true }
    }
}

/// The outcome of [`load`].
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The definition, when there is no error.
    pub definition: Option<Arc<Definition>>,
    /// The errors and warnings: errors first, then in the order AWS lists them: fields, transitions, the graph as a whole;
    /// each kind in the order of the text. Of very many some are only counted: see [`Loaded::more`].
    pub diagnostics: Vec<Diagnostic>,
    /// How many errors and warnings there are besides.
    pub more: More,
}

/// The errors and warnings that were counted and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
}

impl Loaded {
    /// How many there are of a severity, kept or not.
    pub fn count(&self, severity: Severity) -> usize {
        let more = if severity == Severity::Error { self.more.errors } else { self.more.warnings };
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count() + more
    }
}

/// Reads and checks a definition.
pub fn load(source: &Source, options: &Options) -> Loaded {
    let mut loader = Loader::new(source, *options);
    match parse(source, options.format) {
        Ok(root) => loader.document(&root),
        Err(diagnostic) => _ = loader.keep(*diagnostic),
    }
    loader.finish()
}

/// Reads any JSON or YAML text as a tree whose nodes know their places.
///
/// # Errors
/// When the text is not in that format, is empty, or is larger than a definition can be.
pub fn parse(source: &Source, format: Format) -> Result<Node, Box<Diagnostic>> {
    match format {
        Format::Json => json::parse(source),
        Format::Yaml => yaml::parse(source, yaml::Tags::Refused),
    }
}

/// Reads a CloudFormation template, in YAML or JSON, as such a tree; short forms of functions are written out:
/// `!GetAtt A.Arn` is `{"Fn::GetAtt": "A.Arn"}`. YAML's words are read as AWS's tools do: `yes` is true.
///
/// # Errors
/// As [`parse`]; and a tag that is no function's.
pub fn parse_template(source: &Source) -> Result<Node, Box<Diagnostic>> {
    let is_json = source.text().trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{');
    if is_json { json::parse(source) } else { yaml::parse(source, yaml::Tags::Functions) }
}

/// What is being read: the place for errors is in the [`Item`]s, the rest is here.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) flow: FlowId,
    pub(crate) state: StateId,
    pub(crate) language: Language,
    pub(crate) express: bool,
    pub(crate) depth: usize,
    /// What expressions see here.
    pub(crate) sees: Sees,
    /// The length of the state's location: fields are named from there on.
    pub(crate) place: usize,
}

pub(crate) struct Loader<'s> {
    pub(crate) source: &'s Source,
    pub(crate) options: Options,
    diagnostics: Vec<Diagnostic>,
    more: More,
    /// How many are kept of each severity, and the bytes of all.
    kept: [usize; 2],
    kept_bytes: usize,
    /// How many errors there are so far, kept or not.
    pub(crate) errors: usize,
    /// What is counted is written here, and forgotten.
    forgotten: Diagnostic,
    pub(crate) survey: Survey,
    pub(crate) current: Current,
    pub(crate) variables: Variables,
    machine_language: Language,
    states: Vec<Option<State>>,
    flows: Vec<Option<Flow>>,
    comment: Option<Arc<str>>,
    timeout_seconds: Option<u64>,
    /// State names and labels with the place of the first one.
    names: HashMap<Arc<str>, Span>,
    labels: HashMap<Arc<str>, Span>,
    suggestions_left: usize,
}

impl<'s> Loader<'s> {
    fn new(source: &'s Source, options: Options) -> Loader<'s> {
        let express = options.kind == Kind::Express;
        Loader {
            source,
            options,
            diagnostics: Vec::new(),
            more: More::default(),
            kept: [0; 2],
            kept_bytes: 0,
            errors: 0,
            forgotten: Diagnostic::new(Rule::NotAnObject, ""),
            survey: Survey::default(),
            current: Current {
                flow: FlowId::TOP,
                state: StateId(0),
                language: Language::JsonPath,
                express,
                depth: 0,
                sees: Sees::Input,
                place: 0,
            },
            variables: Variables::default(),
            machine_language: Language::JsonPath,
            states: Vec::new(),
            flows: Vec::new(),
            comment: None,
            timeout_seconds: None,
            names: HashMap::new(),
            labels: HashMap::new(),
            suggestions_left: MAX_SUGGESTIONS,
        }
    }

    fn document(&mut self, root: &Node) {
        let item = Item::root(root);
        if root.as_object().is_none() {
            self.error(Rule::NotAnObject, &item, "Definition must be a valid JSON object");
            return;
        }
        self.survey = Survey::of(root);
        if self.options.format == Format::Yaml {
            self.yaml_words(root);
        }
        self.repeated_keys(&item);
        self.top(&item);
        self.check_variables();
    }

    fn finish(mut self) -> Loaded {
        self.diagnostics.sort_by_key(|d| (d.severity, phase(d.rule), d.span.map(|span| span.start)));
        let definition = if self.errors == 0 { self.definition() } else { None };
        Loaded { definition, diagnostics: self.diagnostics, more: self.more }
    }

    /// Whole when every state and flow could be built.
    fn definition(&mut self) -> Option<Arc<Definition>> {
        let states = std::mem::take(&mut self.states).into_iter().collect::<Option<Vec<_>>>()?;
        let flows = std::mem::take(&mut self.flows).into_iter().collect::<Option<Vec<_>>>()?;
        let source = self.source.text().clone();
        let (comment, timeout_seconds) = (self.comment.take(), self.timeout_seconds);
        Some(Arc::new(Definition { source, comment, timeout_seconds, states, flows }))
    }

    /// Reports at an item.
    pub(crate) fn error(&mut self, rule: Rule, item: &Item<'_>, message: impl Into<String>) -> &mut Diagnostic {
        self.error_at(rule, item, item.node.span, message)
    }

    /// Reports at an item with another span: that of a key, usually.
    pub(crate) fn error_at(
        &mut self,
        rule: Rule,
        item: &Item<'_>,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let mut diagnostic = Diagnostic::new(rule, message);
        // The way to a place may be long: it is not written down for what is only counted.
        if self.keeps(rule) {
            let mut location = item.location();
            location.truncate(location.floor_char_boundary(MAX_LOCATION_BYTES));
            diagnostic.location = Some(location);
            diagnostic.span = Some(self.source.original_span(span));
        }
        self.keep(diagnostic)
    }

    /// True when one more of this rule is kept.
    pub(crate) fn keeps(&self, rule: Rule) -> bool {
        self.kept[rule.severity() as usize] < MAX_KEPT && self.kept_bytes < MAX_KEPT_BYTES && self.wanted(rule)
    }

    fn wanted(&self, rule: Rule) -> bool {
        self.options.lints || rule.code() != Code::Lint
    }

    /// Keeps or counts a diagnostic. It can be added to; what is added to one that is only counted is forgotten.
    pub(crate) fn keep(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        let (rule, is_error) = (diagnostic.rule, diagnostic.is_error());
        self.errors += usize::from(is_error);
        if self.keeps(rule) {
            self.kept[rule.severity() as usize] += 1;
            self.kept_bytes += diagnostic.bytes();
            let at = self.diagnostics.len();
            self.diagnostics.push(diagnostic);
            return &mut self.diagnostics[at];
        }
        match is_error {
            true => self.more.errors += 1,
            false => self.more.warnings += usize::from(self.wanted(rule)),
        }
        self.forgotten = diagnostic;
        &mut self.forgotten
    }

    /// Adds to the error that was reported last.
    pub(crate) fn add_help(&mut self, help: String) {
        if let Some(last) = self.diagnostics.last_mut().filter(|d| d.is_error()) {
            last.help(help);
        }
    }

    /// Words that YAML 1.1 and 1.2 read differently.
    fn yaml_words(&mut self, root: &Node) {
        for (word, span) in yaml_booleans(root, self.source.text()) {
            let mut diagnostic =
                Diagnostic::new(Rule::YamlBoolean, format!("`{word}` is a text here, and a boolean in YAML 1.1"));
            diagnostic.span = Some(self.source.original_span(span));
            diagnostic.help(format!("write \"{word}\" in quotes, or true or false"));
            self.keep(diagnostic);
        }
    }

    /// A candidate near `name`, as long as there have not been too many such questions.
    pub(crate) fn suggest<'c>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        self.suggestions_left = self.suggestions_left.checked_sub(1)?;
        nearest(name, candidates)
    }

    fn repeated_keys(&mut self, item: &Item<'_>) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for member in item.node.as_object().unwrap_or_default() {
            if let Some(first) = seen.insert(&member.key, member.key_span) {
                let message = format!("The key '{}' appears more than once", member.key);
                let label = (self.source.original_span(first), "this one is ignored".to_owned());
                let diagnostic = self.error_at(Rule::DuplicateKey, item, member.key_span, message);
                diagnostic.labels.push(label);
                diagnostic.help("the last one counts; remove the others");
            }
        }
        for (_, member) in item.members() {
            self.repeated_keys(&member);
        }
        for element in item.elements() {
            self.repeated_keys(&element);
        }
    }
}

/// The order in which AWS lists errors: the schema, then transitions, then what the graph as a whole lacks.
fn phase(rule: Rule) -> u8 {
    match rule {
        Rule::MissingTarget => 1,
        Rule::NoEnd | Rule::Unreachable => 2,
        _ => 0,
    }
}
