//! Parameters: what a stack is made with.

use super::super::error::Problem;
use super::scope::Scope;
use asl_syntax::{Data, Member, Node, Span};
use asl_value::Value;

impl Scope<'_> {
    /// The value of a parameter: a text, or a list of texts for a list's type.
    ///
    /// # Errors
    /// It has none, or one that is not allowed.
    pub(super) fn parameter(&self, member: &Member, span: Span) -> Result<Node, Box<Problem>> {
        let name = &*member.key;
        let field = |key: &str| member.value.member(key).map(|m| &m.value);
        let kind = field("Type").and_then(Node::as_str).unwrap_or("String");
        let given = self.settings.parameters.get(name);
        let default = field("Default").map(|node| node.to_value());
        let value = match (given, default) {
            (Some(given), _) => given.clone(),
            (None, Some(_)) if kind.starts_with("AWS::SSM::") => {
                return Err(self.no_value(
                    member,
                    span,
                    format!("parameter `{name}` is read from SSM, which is not here"),
                ));
            }
            (None, Some(Value::Array(items))) => {
                items.iter().map(|item| scalar_text(item).unwrap_or_default()).collect::<Vec<_>>().join(",")
            }
            (None, Some(default)) => scalar_text(&default).ok_or_else(|| {
                self.problem(member.key_span, format!("the Default of `{name}` is no text"), "write a text")
            })?,
            (None, None) => return Err(self.no_value(member, span, format!("parameter `{name}` has no value"))),
        };
        self.allowed(member, &value)?;
        let text = |text: &str| Node { span, data: Data::Scalar(Value::from(text)) };
        if kind.contains("List") {
            let items = value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(text);
            return Ok(Node { span, data: Data::Array(items.collect()) });
        }
        Ok(text(&value))
    }

    fn no_value(&self, member: &Member, span: Span, message: String) -> Box<Problem> {
        let name = &member.key;
        let help = format!(
            "give it one: --parameter {name}=VALUE, or `Parameters = {{ {name} = \"...\" }}` under [template] in asl.toml"
        );
        let mut problem = self.problem(span, message, help);
        problem.labels.push((member.key_span, "declared here".to_owned()));
        problem
    }

    fn allowed(&self, member: &Member, value: &str) -> Result<(), Box<Problem>> {
        let Some(values) = member.value.member("AllowedValues").and_then(|m| m.value.as_array()) else { return Ok(()) };
        let values: Vec<String> = values.iter().filter_map(|node| scalar_text(&node.to_value())).collect();
        if values.iter().any(|allowed| allowed == value) {
            return Ok(());
        }
        let message = format!("`{value}` is not allowed for the parameter `{}`", member.key);
        Err(self.problem(member.key_span, message, format!("use one of {}", values.join(", "))))
    }
}

/// A scalar as CloudFormation takes it for a text.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
