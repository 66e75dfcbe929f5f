//! What a test case expects.

use super::reader::Reader;
use crate::Value;
use asl_syntax::Node;
use std::collections::BTreeMap;

const KEYS: [&str; 12] = [
    "status",
    "error",
    "cause",
    "output",
    "outputFile",
    "outputContains",
    "path",
    "duration",
    "retries",
    "variables",
    "tables",
    "queues",
];
const STATUSES: [&str; 4] = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"];

/// What has to come of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// AWS's status: `SUCCEEDED` unless said otherwise, `FAILED` where an error is expected.
    pub status: String,
    /// The name of the error.
    pub error: Option<String>,
    /// What the cause contains.
    pub cause: Option<String>,
    /// The output, exactly.
    pub output: Option<Value>,
    /// What the output holds at least.
    pub output_contains: Option<Value>,
    /// The states in the order in which they are entered.
    pub path: Option<Vec<PathStep>>,
    /// The shortest and the longest it may take, in milliseconds of the engine's clock, both included.
    pub duration_ms: Option<(i64, i64)>,
    /// How often states are tried again.
    pub retries: BTreeMap<String, u64>,
    /// What variables have last been assigned.
    pub variables: BTreeMap<String, Value>,
    /// The items of tables in key order, each in part.
    pub tables: BTreeMap<String, Vec<Value>>,
    /// The bodies of the messages of queues in their order, each in part.
    pub queues: BTreeMap<String, Vec<Value>>,
}

impl Default for Expect {
    fn default() -> Expect {
        Expect {
            status: "SUCCEEDED".to_owned(),
            error: None,
            cause: None,
            output: None,
            output_contains: None,
            path: None,
            duration_ms: None,
            retries: BTreeMap::new(),
            variables: BTreeMap::new(),
            tables: BTreeMap::new(),
            queues: BTreeMap::new(),
        }
    }
}

/// A state on the expected path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathStep {
    /// Its name.
    pub state: String,
    /// The ways within a Parallel or Map; `None` when they do not matter.
    pub inner: Option<Inner>,
}

/// The ways within a Parallel or Map.
#[derive(Clone, Debug, PartialEq)]
pub enum Inner {
    /// Each branch, iteration or child goes this way.
    Each(Vec<PathStep>),
    /// Branch by branch, iteration by iteration.
    One(Vec<Vec<PathStep>>),
}

/// Reads `expect`. `json` reads a file of JSON that is named in the test file.
pub(super) fn read(
    reader: &mut Reader,
    node: &Node,
    json: &mut dyn FnMut(&mut Reader, &asl_syntax::Member) -> Option<String>,
) -> Expect {
    let mut expect = Expect::default();
    let mut status = None;
    for member in reader.known(node, "`expect`", &KEYS) {
        let value = &member.value;
        match &*member.key {
            "status" => status = reader.text(member).map(|text| (text.to_owned(), value.span)),
            "error" => expect.error = reader.text(member).map(str::to_owned),
            "cause" => expect.cause = reader.text(member).map(str::to_owned),
            "output" => expect.output = Some(value.to_value()),
            "outputFile" => expect.output = json(reader, member).and_then(|text| text.parse().ok()),
            "outputContains" => expect.output_contains = Some(value.to_value()),
            "path" => expect.path = Some(path(reader, value)),
            "duration" => expect.duration_ms = duration(reader, value),
            "retries" => {
                for state in reader.members(value, "`retries`") {
                    let count = reader.count(&state.value, &state.key);
                    expect.retries.extend(count.map(|count| (state.key.to_string(), count)));
                }
            }
            "variables" => {
                let variables = reader.members(value, "`variables`").iter();
                expect.variables = variables.map(|v| (v.key.to_string(), v.value.to_value())).collect();
            }
            "tables" => expect.tables = lists(reader, value, "`tables`"),
            "queues" => expect.queues = lists(reader, value, "`queues`"),
            _ => {}
        }
    }
    if expect.error.is_some() || expect.cause.is_some() {
        expect.status = "FAILED".to_owned();
    }
    if let Some((status, span)) = status {
        if !STATUSES.contains(&&*status) {
            reader.report(span, format!("`{status}` is no status"), format!("use one of {}", STATUSES.join(", ")));
        }
        expect.status = status;
    }
    expect
}

fn lists(reader: &mut Reader, node: &Node, what: &str) -> BTreeMap<String, Vec<Value>> {
    let members = reader.members(node, what).iter();
    members.map(|m| (m.key.to_string(), reader.list(m).iter().map(Node::to_value).collect())).collect()
}

/// A list of states: names, and `NAME: INNER` for a Parallel or Map whose inside matters.
fn path(reader: &mut Reader, node: &Node) -> Vec<PathStep> {
    let Some(steps) = node.as_array() else {
        reader.report(node.span, "a path is a list of states", "");
        return Vec::new();
    };
    steps.iter().filter_map(|step| step_of(reader, step)).collect()
}

fn step_of(reader: &mut Reader, node: &Node) -> Option<PathStep> {
    if let Some(state) = node.as_str() {
        return Some(PathStep { state: state.to_owned(), inner: None });
    }
    let Some([member]) = node.as_object() else {
        let help = "write the name of a state, or `NAME: [STATES]` for a Parallel or Map";
        reader.report(node.span, "this is no step of a path", help);
        return None;
    };
    let lists = member.value.as_array().unwrap_or_default();
    let several = !lists.is_empty() && lists.iter().all(|list| list.as_array().is_some());
    let inner = match several {
        true => Inner::One(lists.iter().map(|list| path(reader, list)).collect()),
        false => Inner::Each(path(reader, &member.value)),
    };
    Some(PathStep { state: member.key.to_string(), inner: Some(inner) })
}

/// `SECONDS` (that second, whatever its fraction), or `{min: SECONDS, max: SECONDS}`.
fn duration(reader: &mut Reader, node: &Node) -> Option<(i64, i64)> {
    if node.as_object().is_none() {
        return reader.seconds(node, "duration").map(|ms| (ms, ms + if ms % 1000 == 0 { 999 } else { 0 }));
    }
    let mut range = (0, i64::MAX);
    for member in reader.known(node, "`duration`", &["min", "max"]) {
        let Some(ms) = reader.seconds(&member.value, &member.key) else { continue };
        match &*member.key {
            "min" => range.0 = ms,
            _ => range.1 = ms,
        }
    }
    Some(range)
}
