//! Payload templates, `Assign`, and the strings that look like paths but are none.

use super::Loader;
use super::read::Roots;
use crate::diagnostic::Rule;
use crate::fields::Use::{self, Both, Only};
use crate::model::{Language, Payload, Query, StateType, TextField};
use crate::tree::Item;
use asl_expr::{Expr, Path, Root, Template};
use asl_value::Value;
use std::collections::HashSet;

/// How long the name of a variable may be, in characters.
const MAX_VARIABLE_CHARS: usize = 80;

impl Loader<'_> {
    /// `Parameters` or `Arguments`; those of a Map are its `ItemSelector`. `Parameters` may be any JSON (AWS takes arrays,
    /// texts, numbers and booleans too).
    pub(crate) fn parameters(&mut self, item: &Item<'_>, kind: StateType) -> Option<Payload> {
        if kind == StateType::Map {
            return None;
        }
        if let Some(field) = item.get("Parameters").filter(|_| !self.is_jsonata()) {
            if field.node.is_null() {
                self.wrong_type(&field, "OBJECT");
                return None;
            }
            return self.any_payload(&field).map(Payload::JsonPath);
        }
        self.template(item, "Parameters", Only(Language::JsonPath))
            .or_else(|| self.template(item, "Arguments", Only(Language::Jsonata)))
    }

    /// The template of a field; `None` when the field belongs to the other language.
    pub(crate) fn template(&mut self, item: &Item<'_>, name: &str, usage: Use) -> Option<Payload> {
        let field = item.get(name)?;
        match usage {
            Only(language) if language != self.current.language => None,
            _ if self.is_jsonata() => self.query(&field).map(Payload::Jsonata),
            _ => self.payload(&field).map(Payload::JsonPath),
        }
    }

    /// `Output` of JSONata.
    pub(crate) fn output(&mut self, item: &Item<'_>) -> Option<Query> {
        let field = item.get("Output").filter(|_| self.is_jsonata())?;
        self.query(&field)
    }

    /// `Assign`: an object whose keys are names of variables.
    pub(crate) fn assign(&mut self, item: &Item<'_>) -> Option<Payload> {
        let field = item.get("Assign")?;
        if field.node.as_object().is_none() {
            self.wrong_type(&field, "OBJECT");
            return None;
        }
        for (member, _) in field.members() {
            let key = &*member.key;
            let name = if self.is_jsonata() { key } else { key.strip_suffix(".$").unwrap_or(key) };
            if let Some(wrong) = wrong_variable(name) {
                let message = format!("Invalid variable name: {name}");
                self.error_at(Rule::BadVariableName, &field, member.key_span, message).help(wrong);
            } else {
                self.note_assigned(name, member.key_span, &field);
            }
        }
        self.template(item, "Assign", Both)
    }

    /// A JSONPath payload template that is an object.
    pub(crate) fn payload(&mut self, field: &Item<'_>) -> Option<Template> {
        if field.node.as_object().is_none() {
            self.wrong_type(field, "OBJECT");
            return None;
        }
        self.any_payload(field)
    }

    /// A JSONPath payload template.
    fn any_payload(&mut self, field: &Item<'_>) -> Option<Template> {
        let errors = self.errors;
        self.payload_part(field);
        if self.errors > errors {
            return None;
        }
        match Template::parse(&field.node.to_value()) {
            Ok(template) => Some(template),
            Err(errors) => {
                let texts: Vec<String> = errors.iter().map(|e| e.message.clone()).collect();
                self.error(Rule::BadTemplateField, field, texts.join("; "));
                None
            }
        }
    }

    fn payload_part(&mut self, item: &Item<'_>) {
        let keys: HashSet<&str> = item.node.as_object().unwrap_or_default().iter().map(|m| &*m.key).collect();
        for (member, value) in item.members() {
            match member.key.strip_suffix(".$") {
                Some(name) => {
                    if keys.contains(name) {
                        let message = format!("The fields '{name}' and '{}' cannot both be present", member.key);
                        self.error_at(Rule::DuplicateTemplateField, item, member.key_span, message)
                            .help("the one ending in .$ is evaluated, the other is a literal: keep one of them");
                    }
                    self.dollar_field(item, &member.key, &value);
                }
                None => match value.node.as_str() {
                    Some(text) if looks_like_path(text) => {
                        let message =
                            format!("The value of '{}' looks like a JSONPath or an intrinsic function", member.key);
                        self.error(Rule::NoDollar, &value, message)
                            .help(format!("write the key as `{}.$` to have it evaluated", member.key));
                    }
                    _ => self.payload_part(&value),
                },
            }
        }
        for element in item.elements() {
            self.payload_part(&element);
        }
    }

    /// A field whose key ends in `.$`; `item` is the object it is in.
    fn dollar_field(&mut self, item: &Item<'_>, key: &str, value: &Item<'_>) {
        let text = value.node.as_str();
        let help = match text.map(Expr::parse) {
            Some(Ok(expr)) => {
                for path in expr.paths() {
                    self.note_read(path, value);
                }
                return;
            }
            Some(Err(error)) => error.to_string(),
            None => "the value must be a string".to_owned(),
        };
        let message =
            format!("The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call");
        self.error_at(Rule::BadTemplateField, item, value.node.span, message).help(help);
    }

    /// `Result` of a Pass, which is never evaluated.
    pub(crate) fn static_result(&mut self, item: &Item<'_>) -> Option<Value> {
        let field = item.get("Result").filter(|_| !self.is_jsonata())?;
        self.static_part(&field);
        Some(field.node.to_value())
    }

    fn static_part(&mut self, item: &Item<'_>) {
        if item.node.as_str().is_some_and(looks_like_path) {
            self.error(
                Rule::StaticResult,
                item,
                "The value looks like a path, but the Result of a Pass state is not evaluated",
            )
            .help("use `Parameters` with keys that end in .$");
        }
        for (_, member) in item.members() {
            self.static_part(&member);
        }
        for element in item.elements() {
            self.static_part(&element);
        }
    }

    /// A text or the path to it: `Error` and `ErrorPath`.
    pub(crate) fn text_field(&mut self, item: &Item<'_>, name: &str, path_name: &str) -> Option<TextField> {
        self.only_one_of(item, &[name, path_name]);
        if let Some(field) = item.get(path_name).filter(|_| !self.is_jsonata()) {
            let text = self.string(&field)?;
            let help = match Expr::parse(&text) {
                Ok(Expr::Path(_)) => {
                    let path = self.reference_path(&field, Roots::All)?;
                    return Some(TextField::Computed { text, expr: Expr::Path(path) });
                }
                Ok(Expr::Intrinsic(call)) if !call.can_yield_text() => {
                    "this function yields no text: use States.Format, JsonToString, ArrayGetItem, Base64Encode, Base64Decode, Hash or UUID"
                        .to_owned()
                }
                Ok(expr) => {
                    for path in expr.paths() {
                        self.note_read(path, &field);
                    }
                    return Some(TextField::Computed { text, expr });
                }
                Err(error) => error.to_string(),
            };
            let message = format!(
                "The value for the field '{path_name}' must be a valid JSONPath or a valid intrinsic function call"
            );
            self.error(Rule::BadPath, &field, message).help(help);
            return None;
        }
        let field = item.get(name)?;
        let text = self.string(&field)?;
        if self.is_expression(&field) {
            return self.query(&field).map(TextField::Query);
        }
        if !self.is_jsonata() {
            self.literal_text(&field, name, path_name);
        }
        Some(TextField::Literal(text))
    }

    /// Warns of a literal that looks like a path where the field of another name takes paths.
    pub(crate) fn literal_text(&mut self, field: &Item<'_>, name: &str, path_name: &str) {
        if field.node.as_str().is_some_and(looks_like_path) {
            let message =
                format!("The value of '{name}' looks like a path, but the field name does not end with 'Path'");
            self.error(Rule::NoPath, field, message).help(format!("use `{path_name}` to have it evaluated"));
        }
    }

    /// Remembers that the path reads a variable.
    pub(crate) fn note_read(&mut self, path: &Path, item: &Item<'_>) {
        if let Root::Variable(name) = path.root() {
            self.note_variable_read(name, item.node.span, item);
        }
    }
}

/// What is wrong with the name of a variable (UAX #31 identifiers, at most 80 characters).
fn wrong_variable(name: &str) -> Option<&'static str> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(char::is_alphabetic);
    if !starts || !chars.all(|c| c.is_alphanumeric() || c == '_') {
        return Some(
            "a name begins with a letter and goes on with letters, digits and _; a part of a variable cannot be assigned",
        );
    }
    if name.chars().count() > MAX_VARIABLE_CHARS {
        return Some("a name has at most 80 characters");
    }
    (name == "states").then_some("`states` is reserved")
}

/// A path below a root, or a call of an intrinsic function.
pub(crate) fn looks_like_path(text: &str) -> bool {
    (text.starts_with("$.") || text.starts_with("$[") || text.starts_with("$$") || text.starts_with("States."))
        && Expr::parse(text).is_ok()
}
