//! Where the parts of a definition stand in its text.

use asl_syntax::{Format, Member, Node, Source, Span, parse};

/// How AWS's causes begin that name their state first.
const PREFIX: &str = "An error occurred while executing the state ";

/// The tree of a definition, for the places of its states and of their fields.
pub struct Places {
    source: Source,
    root: Option<Node>,
}

impl Places {
    /// Of a definition that loads, in JSON or in YAML.
    pub fn of(source: &Source) -> Places {
        let root = parse(source, Format::Json).or_else(|_| parse(source, Format::Yaml)).ok();
        Places { source: source.clone(), root }
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

    /// The place of what an error of a state is about, in the original text: of the field `location` (`Arguments/a[0]`, as the
    /// history writes it) where it is known; of what the cause names in quotes; of the attribute among the parameters that a
    /// service names; else of the parameters, or the state. `None` for errors of the work itself.
    pub fn blamed(&self, state: &str, location: &str, error: &str, cause: &str) -> Option<Span> {
        let found = find(self.root.as_ref()?, state)?;
        let span = if location.is_empty() {
            if !names_a_place(error) {
                return None;
            }
            let cause =
                cause.strip_prefix(PREFIX).and_then(|told| told.split_once("). ")).map_or(cause, |(_, own)| own);
            let parameters = found.member("Parameters").or_else(|| found.member("Arguments"));
            let within = parameters.and_then(|p| quoted(&p.value, cause)).or_else(|| quoted(found, cause));
            let within = within.or_else(|| parameters.and_then(|p| mentioned(&p.value, cause)));
            within.or(parameters).map_or(found.span, |member| member.key_span)
        } else {
            let mut node = found;
            for part in location.split('/').flat_map(|part| part.split('[')) {
                let index = part.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
                let next = match index {
                    Some(index) => node.as_array().and_then(|items| items.get(index)),
                    None => node.member(part).map(|member| &member.value),
                };
                // A key may hold a slash or a bracket: then what is around it is the place.
                let Some(next) = next else { break };
                node = next;
            }
            node.span
        };
        Some(self.source.original_span(span))
    }

    /// `file:line:column` of a place, both from 1; of a template, in its file.
    pub fn shown(&self, span: Span) -> String {
        let (line, column) = self.source.line_column(span.start);
        format!("{}:{line}:{column}", self.source.name())
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

/// Errors of the language and of services, whose causes name what they do not take; others are the work's own.
fn names_a_place(error: &str) -> bool {
    match error.split_once('.') {
        Some(("States", kind)) => {
            !matches!(kind, "TaskFailed" | "Timeout" | "HeartbeatTimeout" | "BranchFailed" | "Http")
        }
        Some((service, _)) => service != "Lambda" && service.chars().all(|c| c.is_ascii_alphanumeric()),
        None => false,
    }
}

/// The member that a cause names in quotes, by its key or its value, but within no other state; the first one.
fn quoted<'n>(node: &'n Node, cause: &str) -> Option<&'n Member> {
    if let Some(items) = node.as_array() {
        return items.iter().find_map(|item| quoted(item, cause));
    }
    let marked = |name: &str| {
        !name.is_empty() && ['\'', '"', '`'].iter().any(|mark| cause.contains(&format!("{mark}{name}{mark}")))
    };
    node.as_object()?.iter().filter(|member| &*member.key != "States").find_map(|member| {
        let inner = quoted(&member.value, cause);
        let here = || (marked(&member.key) || member.value.as_str().is_some_and(marked)).then_some(member);
        inner.or_else(here)
    })
}

/// The innermost member whose value ends the cause, `...: VALUE`, or else whose key is a word of it; the last one.
fn mentioned<'n>(node: &'n Node, cause: &str) -> Option<&'n Member> {
    // What a client adds about the answer.
    let cause = cause.split_once(" (Service: ").map_or(cause, |(said, _)| said);
    let value = cause.rsplit_once(": ").map(|(_, value)| value);
    let words: Vec<&str> = cause.split(|c: char| !c.is_alphanumeric() && !"_-#".contains(c)).collect();
    let key = |member: &Member| words.iter().any(|word| word.eq_ignore_ascii_case(member.key.trim_end_matches(".$")));
    last(node, &|member| value.is_some() && member.value.as_str() == value).or_else(|| last(node, &key))
}

/// The last member of which that is true, innermost first.
fn last<'n>(node: &'n Node, is: &dyn Fn(&Member) -> bool) -> Option<&'n Member> {
    if let Some(items) = node.as_array() {
        return items.iter().rev().find_map(|item| last(item, is));
    }
    let members = node.as_object()?.iter().rev();
    members.into_iter().find_map(|member| last(&member.value, is).or_else(|| is(member).then_some(member)))
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

    #[test]
    fn an_error_is_found_where_the_definition_makes_it() {
        let text = "{\"States\": {\n\"T\": {\"Type\": \"Task\", \"InputPath\": \"$.a\",\n\"Parameters\": {\n\"TableName\": \"t\",\n\"Item\": {\"id.$\": \"$.x\",\n\
                    \"fare\": [{},\n{\"N\": \"y\"}]}}},\n\"J\": {\"Arguments\": {\"a\": [1,\n\"{% $x %}\"]}}}}";
        let source = Source::new("d.json", text);
        let places = Places::of(&source);
        let cases = [
            ("J", "Arguments/a[1]", "States.QueryEvaluationError", "", "d.json:9:1"),
            ("J", "Arguments/a[1]/gone", "States.QueryEvaluationError", "", "d.json:9:1"),
            ("T", "", "States.Runtime", "Invalid path '$.a' : no", "d.json:2:23"),
            (
                "T",
                "",
                "States.Runtime",
                "The JSONPath '$.x' specified for the field 'id.$' could not be found",
                "d.json:5:10",
            ),
            ("T", "", "DynamoDB.ValidationException", "Missing the key id in the item", "d.json:5:10"),
            ("T", "", "DynamoDB.ValidationException", "Item.fare[1].N is no number", "d.json:7:2"),
            ("T", "", "DynamoDB.ValidationException", "no", "d.json:3:1"),
            (
                "T",
                "",
                "DynamoDB.ValidationException",
                "no number: y (Service: AmazonDynamoDBv2; Item: 1)",
                "d.json:7:2",
            ),
            ("T", "", "DynamoDB.ValidationException", "Missing the key k in the item", "d.json:5:1"),
            ("T", "", "CardDeclined", "the Item", ""),
            ("T", "", "Lambda.Unknown", "the Item", ""),
            ("None", "", "States.Runtime", "", ""),
        ];
        for (state, location, error, cause, shown) in cases {
            let found = places.blamed(state, location, error, cause).map(|span| places.shown(span));
            assert_eq!(found.unwrap_or_default(), shown, "{error}: {cause}");
        }
    }
}
