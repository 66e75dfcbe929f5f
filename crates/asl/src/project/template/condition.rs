//! Conditions: `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not`, `Condition`.

use super::super::error::Problem;
use super::function::called;
use super::parameter::scalar_text;
use super::scope::Scope;
use asl_syntax::{Node, Span, nearest};

impl Scope<'_> {
    /// Whether a condition of the template holds; `span` is what names it.
    ///
    /// # Errors
    /// There is no such condition, or it cannot be told.
    pub(super) fn holds(&self, name: &str, span: Span) -> Result<bool, Box<Problem>> {
        if let Some(known) = self.memo.borrow().conditions.get(name) {
            return Ok(*known);
        }
        let Some(member) = self.conditions.get(name) else {
            let near = nearest(name, self.conditions.keys().copied());
            let help = near.map_or("name one of Conditions".to_owned(), |near| format!("did you mean `{near}`?"));
            return Err(self.problem(span, format!("there is no condition `{name}`"), help));
        };
        let held = self.open(&format!("the condition `{name}`"), span, || self.condition(&member.value))?;
        self.memo.borrow_mut().conditions.insert(name.to_owned(), held);
        Ok(held)
    }

    fn condition(&self, node: &Node) -> Result<bool, Box<Problem>> {
        self.deeper(node.span, || self.condition_inside(node))
    }

    fn condition_inside(&self, node: &Node) -> Result<bool, Box<Problem>> {
        if let Some(name) = node.member("Condition").filter(|_| node.as_object().is_some_and(|o| o.len() == 1)) {
            let called = name.value.as_str();
            return called.map_or_else(
                || Err(self.problem(name.value.span, "Condition takes a name", "name one of Conditions")),
                |called| self.holds(called, name.value.span),
            );
        }
        match called(node) {
            Some(("Fn::Equals", arguments)) => {
                let [a, b] = self.arguments("Fn::Equals", arguments)?;
                // Everything is a text to CloudFormation: `true` equals "true".
                let text = |node: &Node| {
                    let value = node.to_value();
                    scalar_text(&value).unwrap_or_else(|| value.to_string())
                };
                Ok(text(&self.resolved(a)?) == text(&self.resolved(b)?))
            }
            Some(("Fn::Not", arguments)) => {
                let [one] = self.arguments("Fn::Not", arguments)?;
                Ok(!self.condition(one)?)
            }
            Some((name @ ("Fn::And" | "Fn::Or"), arguments)) => {
                let all = name == "Fn::And";
                for argument in arguments.as_array().unwrap_or_default() {
                    if self.condition(argument)? != all {
                        return Ok(!all);
                    }
                }
                Ok(all)
            }
            _ => match node.to_value().to_string().trim_matches('"') {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(self.problem(
                    node.span,
                    "this is no condition",
                    "use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition",
                )),
            },
        }
    }
}
