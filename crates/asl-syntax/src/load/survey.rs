//! A look over the whole definition before it is read: what one place must know of another that comes later.

use crate::tree::{Data, Node};
use asl_value::{Span, Value};
use std::collections::{HashMap, HashSet};

/// What is known of a definition before it is read.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Every state of every flow, with the place of its name in the substituted text.
    pub(crate) states: HashMap<String, Span>,
    /// The error names that Fail states raise.
    pub(crate) raised: HashSet<String>,
}

impl Survey {
    pub(crate) fn of(root: &Node) -> Survey {
        let mut survey = Survey::default();
        let mut due = vec![root];
        while let Some(node) = due.pop() {
            match &node.data {
                Data::Scalar(_) => {}
                Data::Array(items) => due.extend(items),
                Data::Object(members) => {
                    for member in members {
                        if &*member.key == "States" {
                            survey.flow(&member.value);
                        }
                        due.push(&member.value);
                    }
                }
            }
        }
        survey
    }

    fn flow(&mut self, states: &Node) {
        for state in states.as_object().unwrap_or_default() {
            self.states.entry(state.key.to_string()).or_insert(state.key_span);
            let text = |name: &str| state.value.member(name).and_then(|member| member.value.as_str());
            if let (Some("Fail"), Some(error)) = (text("Type"), text("Error")) {
                self.raised.insert(error.to_owned());
            }
        }
    }
}

/// The words of a YAML text that YAML 1.1 takes as booleans: each without quotes, in the order of the text.
pub(crate) fn yaml_booleans<'n>(root: &'n Node, text: &str) -> Vec<(&'n str, Span)> {
    let mut found = Vec::new();
    let mut due = vec![root];
    while let Some(node) = due.pop() {
        match &node.data {
            Data::Scalar(Value::String(word)) if is_boolean(word, node.span, text) => found.push((&**word, node.span)),
            Data::Scalar(_) => {}
            Data::Array(items) => due.extend(items),
            Data::Object(members) => {
                for member in members {
                    if is_boolean(&member.key, member.key_span, text) {
                        found.push((&*member.key, member.key_span));
                    }
                    due.push(&member.value);
                }
            }
        }
    }
    found.sort_by_key(|(_, span)| span.start);
    found
}

fn is_boolean(word: &str, span: Span, text: &str) -> bool {
    let words = ["yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"];
    words.contains(&word) && text.get(span.start..span.end).is_some_and(|written| written.trim() == word)
}
