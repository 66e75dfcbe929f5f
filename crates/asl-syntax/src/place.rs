//! Where a state stands in a definition's text.

use crate::load::Format;
use crate::source::Source;
use crate::tree::{Data, Node};
use crate::{json, yaml};
use asl_value::Span;

/// The place of a state's name in the original text, in bytes: the member of `States` that is the state. `None` when the
/// text cannot be read or has no such state.
///
/// ```
/// use asl_syntax::{Format, Source, state_span};
///
/// let source = Source::new("a.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
/// let span = state_span(&source, Format::Json, "A").unwrap();
/// assert_eq!(&source.original()[span.start..span.end], r#""A""#);
/// ```
pub fn state_span(source: &Source, format: Format, state: &str) -> Option<Span> {
    let root = match format {
        Format::Json => json::parse(source),
        Format::Yaml => yaml::parse(source, yaml::Tags::Refused),
    };
    find(&root.ok()?, state).map(|span| source.original_span(span))
}

fn find(node: &Node, state: &str) -> Option<Span> {
    match &node.data {
        Data::Object(members) => {
            let states = node.member("States").and_then(|states| states.value.member(state));
            states
                .map(|member| member.key_span)
                .or_else(|| members.iter().find_map(|member| find(&member.value, state)))
        }
        Data::Array(items) => items.iter().find_map(|item| find(item, state)),
        Data::Scalar(_) => None,
    }
}
