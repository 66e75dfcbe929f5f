//! Reading JSON or YAML by hand: every mistake is noted with its place.

use crate::Value;
use crate::project::Problem;
use asl_syntax::{Diagnostic, Member, Node, Span, nearest};
use std::sync::Arc;

/// Collects what is wrong with one file.
pub(super) struct Reader {
    file: String,
    text: Arc<str>,
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(file: &str, text: &str) -> Reader {
        Reader { file: file.to_owned(), text: text.into(), problems: Vec::new() }
    }

    pub(super) fn report(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        let mut problem = Problem::new(&self.file, "", message);
        problem.text = self.text.clone();
        problem.span = Some(span);
        problem.help = (!help.is_empty()).then_some(help);
        self.problems.push(problem);
    }

    /// What the parser said.
    pub(super) fn unreadable(&mut self, diagnostic: Diagnostic) {
        if self.text.trim().is_empty() {
            return self.report(
                Span::default(),
                "the text is empty",
                "add `cases:` with `NAME: {input: ..., expect: ...}`",
            );
        }
        let message = diagnostic.message.lines().next().unwrap_or_default().to_owned();
        self.report(diagnostic.span.unwrap_or_default(), message, diagnostic.help.unwrap_or_default());
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, span: Span) -> usize {
        self.text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// The members of an object, each key once.
    pub(super) fn members<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Member] {
        let Some(members) = node.as_object() else {
            self.report(node.span, format!("{what} is not an object"), "");
            return &[];
        };
        for (at, member) in members.iter().enumerate() {
            if members[..at].iter().any(|other| other.key == member.key) {
                self.report(member.key_span, format!("`{}` stands here twice", member.key), "leave one out");
            }
        }
        members
    }

    /// The members of an object that has only these keys.
    pub(super) fn known<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> &'n [Member] {
        let members = self.members(node, what);
        for member in members {
            if !keys.contains(&&*member.key) {
                let help = match nearest(&member.key, keys.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys here are {}", keys.join(", ")),
                };
                self.report(member.key_span, format!("unknown key `{}` in {what}", member.key), help);
            }
        }
        members
    }

    pub(super) fn text<'n>(&mut self, member: &'n Member) -> Option<&'n str> {
        let text = member.value.as_str();
        if text.is_none() {
            self.report(member.value.span, format!("`{}` is a text", member.key), "");
        }
        text
    }

    pub(super) fn flag(&mut self, member: &Member) -> Option<bool> {
        let flag = member.value.to_value().as_bool();
        if flag.is_none() {
            self.report(member.value.span, format!("`{}` is true or false", member.key), "");
        }
        flag
    }

    pub(super) fn list<'n>(&mut self, member: &'n Member) -> &'n [Node] {
        let list = member.value.as_array();
        if list.is_none() {
            self.report(member.value.span, format!("`{}` is a list", member.key), "");
        }
        list.unwrap_or_default()
    }

    /// Seconds, 0 or more, with a fraction of milliseconds; in milliseconds.
    pub(super) fn seconds(&mut self, node: &Node, what: &str) -> Option<i64> {
        let value: Value = node.to_value();
        let ms = value.as_f64().filter(|s| (0.0..=1e10).contains(s)).map(|s| (s * 1000.0).round() as i64);
        if ms.is_none() {
            self.report(node.span, format!("`{what}` is a number of seconds, 0 or more"), "");
        }
        ms
    }

    /// A whole number, 0 or more.
    pub(super) fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        let count = node.to_value().as_i64().and_then(|n| u64::try_from(n).ok());
        if count.is_none() {
            self.report(node.span, format!("`{what}` is a whole number, 0 or more"), "");
        }
        count
    }
}
