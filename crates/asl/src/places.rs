//! Where the parts of a definition stand in its text.

use asl_syntax::{Format, Node, Source, Span, parse};

/// The tree of a definition, for the places of its states.
pub(crate) struct Places<'s> {
    source: &'s Source,
    root: Option<Node>,
}

impl<'s> Places<'s> {
    /// Of a definition that loads, in JSON or in YAML.
    pub(crate) fn of(source: &'s Source) -> Places<'s> {
        let root = parse(source, Format::Json).or_else(|_| parse(source, Format::Yaml)).ok();
        Places { source, root }
    }

    /// The place of a field of a state in the original text; `fields` leads to it from the state, indexes by their number.
    pub(crate) fn field(&self, state: &str, fields: &[&str]) -> Option<Span> {
        let state = find(self.root.as_ref()?, state)?;
        let mut node = state;
        for field in fields {
            node = match field.parse::<usize>() {
                Ok(index) => node.as_array()?.get(index)?,
                Err(_) => &node.member(field)?.value,
            };
        }
        Some(self.source.original_span(node.span))
    }

    /// The text of a state, `${...}` replaced.
    pub(crate) fn text(&self, state: &str) -> Option<&str> {
        let span = find(self.root.as_ref()?, state)?.span;
        self.source.text().get(span.start..span.end)
    }

    /// The line of a field, or of the state where it has no such field; from 1, and 0 for no such state.
    pub(crate) fn line(&self, state: &str, fields: &[&str]) -> usize {
        let span = self.field(state, fields).or_else(|| self.field(state, &[]));
        span.map_or(0, |span| self.source.line_column(span.start).0)
    }
}

/// State names are unique in the whole machine, so the first one is the one.
fn find<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    if let Some(items) = node.as_array() {
        return items.iter().find_map(|item| find(item, name));
    }
    node.as_object()?.iter().find_map(|member| {
        let here = (&*member.key == "States").then(|| member.value.member(name)).flatten();
        here.map(|state| &state.value).or_else(|| find(&member.value, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_found_at_any_depth_in_json_and_yaml() {
        let json = "{\"StartAt\": \"P\", \"States\": {\n\"P\": {\"Type\": \"Parallel\", \"Branches\": [\n\
                    {\"StartAt\": \"In\", \"States\": {\n\"In\": {\"Type\": \"Pass\",\n\"Catch\": [{}, \n{\"Next\": 1}]}}}]}}}";
        let yaml = "StartAt: P\nStates:\n  P:\n    Branches:\n      - States:\n          In:\n            Type: Pass\n";
        let source = Source::new("j", json);
        let places = Places::of(&source);
        assert_eq!((places.line("P", &[]), places.line("In", &[]), places.line("In", &["Catch", "1"])), (2, 4, 6));
        assert_eq!((places.line("In", &["Retry", "0"]), places.line("None", &[])), (4, 0));
        assert_eq!(places.field("None", &[]), None);
        let source = Source::new("y", yaml);
        assert_eq!(Places::of(&source).line("In", &["Type"]), 7);
    }
}
