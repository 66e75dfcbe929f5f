//! The readers of single fields: types, ranges, paths.

use super::Loader;
use crate::diagnostic::Rule;
use crate::fields::{Table, Use, states_with};
use crate::model::{Language, NumberField, PathField, ResultPath};
use crate::tree::{Data, Item};
use asl_expr::{Path, Root};
use asl_value::{Number, Span, Value};
use std::sync::Arc;

/// What a literal of a number field must be.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) integer: bool,
}

impl Range {
    pub(crate) const fn integer(min: u32, max: u32) -> Range {
        Range { min: min as f64, max: max as f64, integer: true }
    }

    /// At least `min`, without a limit.
    pub(crate) const fn at_least(min: u32) -> Range {
        Range { min: min as f64, max: f64::MAX, integer: true }
    }

    fn show(self, bound: f64) -> String {
        if self.integer { format!("{bound}") } else { format!("{bound:?}") }
    }
}

/// Where a `…Path` field of a number may point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roots {
    /// State input, variables and the context object.
    All,
    /// State input and variables.
    NoContext,
}

impl Language {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::JsonPath => "JSONPath",
            Language::Jsonata => "JSONata",
        }
    }
}

impl Loader<'_> {
    pub(crate) fn is_jsonata(&self) -> bool {
        self.current.language == Language::Jsonata
    }

    pub(crate) fn wrong_type(&mut self, item: &Item<'_>, wanted: &str) {
        self.error(Rule::WrongType, item, format!("Expected value of type [{wanted}]"));
    }

    /// Reports the fields that are missing, all in one message.
    pub(crate) fn require(&mut self, item: &Item<'_>, fields: &[&str]) -> bool {
        let missing: Vec<&str> = fields.iter().copied().filter(|field| !item.has(field)).collect();
        if !missing.is_empty() {
            let message = format!("These fields are required: [{}]", missing.join(", "));
            self.error(Rule::RequiredField, item, message);
        }
        missing.is_empty()
    }

    /// Reports the fields that the table does not have, or not in this language.
    pub(crate) fn known_fields(&mut self, item: &Item<'_>, table: &[(&'static str, Use)]) {
        let is_state = table.iter().any(|(name, _)| *name == "Type");
        for (member, _) in item.members() {
            let key = &*member.key;
            match table.iter().find(|(name, _)| *name == key) {
                Some((_, Use::Only(language))) if *language != self.current.language => {
                    let message = format!(
                        "The QueryLanguage is set to '{}', but field '{key}' is only supported for the '{}' QueryLanguage",
                        self.current.language.name(),
                        language.name()
                    );
                    self.error_at(Rule::WrongLanguage, item, member.key_span, message);
                }
                Some(_) => {}
                None => {
                    let near = self.suggest(key, table.iter().map(|(name, _)| *name));
                    let message = format!("Field '{key}' is not supported");
                    let diagnostic = self.error_at(Rule::UnknownField, item, member.key_span, message);
                    if let Some(near) = near {
                        diagnostic.help(format!("did you mean `{near}`?"));
                    } else if is_state && !states_with(key).is_empty() {
                        let kinds: Vec<&str> = states_with(key).iter().map(|kind| kind.name()).collect();
                        diagnostic.help(format!("only these states have `{key}`: {}", kinds.join(", ")));
                    }
                }
            }
        }
    }

    /// An object with the fields of the table.
    pub(crate) fn object_of(&mut self, item: &Item<'_>, table: Table) -> bool {
        if item.node.as_object().is_none() {
            self.wrong_type(item, "OBJECT");
            return false;
        }
        self.known_fields(item, table);
        if let Some(comment) = item.get("Comment") {
            self.string(&comment);
        }
        true
    }

    pub(crate) fn string(&mut self, item: &Item<'_>) -> Option<Arc<str>> {
        let text = item.node.as_str();
        if text.is_none() {
            self.wrong_type(item, "STRING");
        }
        text.map(Arc::from)
    }

    pub(crate) fn boolean(&mut self, item: &Item<'_>) -> Option<bool> {
        match &item.node.data {
            Data::Scalar(Value::Bool(b)) => Some(*b),
            _ => {
                self.wrong_type(item, "BOOLEAN");
                None
            }
        }
    }

    /// True for an array that is not empty.
    pub(crate) fn full_array(&mut self, item: &Item<'_>) -> bool {
        match item.node.as_array() {
            None => self.wrong_type(item, "ARRAY"),
            Some([]) => drop(self.error(Rule::EmptyValue, item, "Value cannot be empty")),
            Some(_) => return true,
        }
        false
    }

    /// One of the listed strings.
    pub(crate) fn choice_of(&mut self, item: &Item<'_>, allowed: &[&'static str]) -> Option<&'static str> {
        let text = self.string(item)?;
        let found = allowed.iter().copied().find(|a| *a == &*text);
        if found.is_none() {
            let near = self.suggest(&text, allowed.iter().copied());
            let message = format!("Value should be one of the following: [{}]", allowed.join(", "));
            let diagnostic = self.error(Rule::NotInList, item, message);
            if let Some(near) = near {
                diagnostic.help(format!("did you mean `{near}`?"));
            }
        }
        found
    }

    pub(crate) fn number(&mut self, item: &Item<'_>, range: Range) -> Option<f64> {
        let number = match &item.node.data {
            Data::Scalar(Value::Number(n)) if n.is_integer() || !range.integer => n.clone(),
            _ => {
                self.wrong_type(item, if range.integer { "INTEGER" } else { "NUMBER" });
                return None;
            }
        };
        let message = match number.as_f64() {
            value if value < range.min => format!("Minimum value is {}", range.show(range.min)),
            value if value > range.max => format!("Maximum value is {}", range.show(range.max)),
            value => return Some(value),
        };
        self.error(Rule::OutOfRange, item, message);
        None
    }

    pub(crate) fn integer(&mut self, item: &Item<'_>, range: Range) -> Option<u64> {
        self.number(item, range)?;
        match &item.node.data {
            Data::Scalar(Value::Number(Number::Int(i))) => u64::try_from(*i).ok(),
            _ => {
                self.error(Rule::OutOfRange, item, format!("Maximum value is {}", i64::MAX));
                None
            }
        }
    }

    /// Reports when more than one of the fields is there.
    pub(crate) fn only_one_of(&mut self, item: &Item<'_>, fields: &[&str]) -> bool {
        let found: Vec<Span> = fields.iter().filter_map(|field| item.node.member(field)).map(|m| m.key_span).collect();
        let [first, .., last] = found[..] else { return true };
        let message = format!("There should only be one of the following fields: [{}]", fields.join(", "));
        let label = (self.source.original_span(first), "this one is there already".to_owned());
        self.error_at(Rule::OnlyOneOf, item, last, message).labels.push(label);
        false
    }

    /// `Name` or `NamePath`; in JSONata `Name` may be an expression.
    pub(crate) fn number_field(
        &mut self,
        item: &Item<'_>,
        name: &str,
        range: Range,
        roots: Roots,
    ) -> Option<NumberField> {
        let path_name = format!("{name}Path");
        self.only_one_of(item, &[name, &path_name]);
        if let Some(path) = item.get(&path_name) {
            if self.is_jsonata() {
                return None;
            }
            return self.reference_path(&path, roots).map(NumberField::Path);
        }
        let literal = item.get(name)?;
        if self.is_expression(&literal) {
            return self.query(&literal).map(NumberField::Query);
        }
        let number = self.number(&literal, range);
        self.hint_path(&literal, &path_name);
        number.map(NumberField::Literal)
    }

    /// After a reader has refused a path where a literal belongs: names the field that takes paths.
    pub(crate) fn hint_path(&mut self, literal: &Item<'_>, path_name: &str) {
        if !self.is_jsonata() && literal.node.as_str().is_some_and(|text| text.starts_with('$')) {
            self.add_help(format!("a path belongs into `{path_name}`"));
        }
    }

    /// Any JSONPath.
    pub(crate) fn path(&mut self, item: &Item<'_>) -> Option<Path> {
        let text = self.string(item)?;
        match Path::parse(&text) {
            Ok(path) => {
                self.note_read(&path, item);
                Some(path)
            }
            Err(error) => {
                self.error(Rule::BadPath, item, "Value is not a valid JSONPath").help(error.to_string());
                None
            }
        }
    }

    /// A path that picks exactly one place.
    pub(crate) fn reference_path(&mut self, item: &Item<'_>, roots: Roots) -> Option<Path> {
        let text = self.string(item)?;
        let help = match Path::parse(&text) {
            Ok(path) if !path.is_reference() => {
                "it may pick several values: name one place, such as $.orders[0].id".to_owned()
            }
            Ok(path) if roots == Roots::NoContext && matches!(path.root(), Root::Context) => {
                "this field cannot read the context object: bring the value into the state input or a variable first"
                    .to_owned()
            }
            Ok(path) => {
                self.note_read(&path, item);
                return Some(path);
            }
            Err(error) => error.to_string(),
        };
        self.error(Rule::NotReferencePath, item, "Value is not a Reference Path").help(help);
        None
    }

    /// `InputPath`, `OutputPath`.
    pub(crate) fn path_field(&mut self, item: &Item<'_>, name: &str) -> PathField {
        match item.get(name).filter(|_| !self.is_jsonata()) {
            Some(field) if field.node.is_null() => PathField::Nothing,
            Some(field) => match self.path(&field) {
                Some(path) if path.text() != "$" => PathField::Path(path),
                _ => PathField::All,
            },
            None => PathField::All,
        }
    }

    /// `ResultPath`, which leads into the state input.
    pub(crate) fn result_path(&mut self, item: &Item<'_>) -> ResultPath {
        let Some(field) = item.get("ResultPath").filter(|_| !self.is_jsonata()) else { return ResultPath::Replace };
        if field.node.is_null() {
            return ResultPath::Discard;
        }
        let Some(text) = self.string(&field) else { return ResultPath::Replace };
        let path = Path::parse(&text).ok().filter(|path| matches!(path.root(), Root::Input));
        match path.as_ref().and_then(Path::steps) {
            Some([]) => ResultPath::Replace,
            Some(steps) => ResultPath::At { text, steps: steps.to_vec() },
            None => {
                self.error(Rule::NotReferencePath, &field, "Value is not a Reference Path")
                    .help("a ResultPath names one place in the state input, such as $.result, or is null");
                ResultPath::Replace
            }
        }
    }
}
