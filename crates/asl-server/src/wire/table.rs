//! The table of the API: what each operation takes and gives. `table.txt` is made by `.ci/operations-table.py`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The facts of the API model.
#[derive(Debug, Default)]
pub struct Table {
    /// The operations by name.
    pub operations: BTreeMap<&'static str, Operation>,
    /// The structures by name, with their members in the model's order.
    pub structures: BTreeMap<&'static str, Vec<Member>>,
}

/// An operation.
#[derive(Debug, Default)]
pub struct Operation {
    /// What it takes.
    pub input: Vec<Member>,
    /// What it gives.
    pub output: Vec<Member>,
    /// The exceptions that the model names.
    pub errors: Vec<&'static str>,
}

/// A member of a structure, a request or a response.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// It has to be there.
    pub required: bool,
    /// What it is.
    pub shape: Shape,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A text: how many characters, and a pattern where there is one.
    String(Span, Option<&'static str>),
    /// One of these texts, in the order in which AWS names them.
    Enum(Vec<&'static str>),
    /// A whole number of 32 bits.
    Integer(Span),
    /// A whole number of 64 bits.
    Long(Span),
    /// Any number.
    Float(Span),
    /// True or false.
    Boolean,
    /// A time: epoch seconds.
    Timestamp,
    /// A list: how many, of what.
    List(Span, Box<Shape>),
    /// An object whose members are all of one shape.
    Map(Box<Shape>),
    /// A structure of the table.
    Structure(&'static str),
    /// Not described here.
    Any,
}

/// The least and the most, where the model says so: of a value, or of a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub min: Option<i64>,
    /// The most.
    pub max: Option<i64>,
}

/// The table, read once.
pub fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| read(include_str!("table.txt")));
    &TABLE
}

/// The operations that AWS does not have.
pub(crate) fn own() -> &'static Table {
    static OWN: LazyLock<Table> = LazyLock::new(|| read(include_str!("own.txt")));
    &OWN
}

enum Place {
    Nowhere,
    Operation(&'static str),
    Structure(&'static str),
}

fn read(text: &'static str) -> Table {
    let (mut table, mut place) = (Table::default(), Place::Nowhere);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words = line.trim_start();
        let (head, rest) = words.split_once(' ').unwrap_or((words, ""));
        match (&place, head) {
            (_, "operation") => {
                table.operations.insert(rest, Operation::default());
                place = Place::Operation(rest);
            }
            (_, "structure") => {
                table.structures.insert(rest, Vec::new());
                place = Place::Structure(rest);
            }
            (Place::Operation(name), kind) => {
                let operation = table.operations.entry(name).or_default();
                match kind {
                    "in" => operation.input.push(member(rest)),
                    "out" => operation.output.push(member(rest)),
                    _ => operation.errors = rest.split_whitespace().collect(),
                }
            }
            (Place::Structure(name), _) => table.structures.entry(name).or_default().push(member(words)),
            (Place::Nowhere, _) => {}
        }
    }
    table
}

/// `name* shape`
fn member(text: &'static str) -> Member {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    Member { name: name.trim_end_matches('*'), required: name.ends_with('*'), shape: shape(rest) }
}

fn shape(text: &'static str) -> Shape {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (limits, more) = span(rest);
    match kind {
        "string" => Shape::String(limits, Some(more).filter(|pattern| !pattern.is_empty())),
        "enum" => Shape::Enum(rest.split('|').collect()),
        "integer" => Shape::Integer(limits),
        "long" => Shape::Long(limits),
        "float" => Shape::Float(limits),
        "boolean" => Shape::Boolean,
        "timestamp" => Shape::Timestamp,
        "list" => Shape::List(limits, Box::new(shape(more.trim_start_matches("of ")))),
        "map" => Shape::Map(Box::new(shape(rest.trim_start_matches("of ")))),
        "any" => Shape::Any,
        name => Shape::Structure(name),
    }
}

/// `min..max` at the head of a text, either may be left out; and what follows.
fn span(text: &'static str) -> (Span, &'static str) {
    let (head, rest) = text.split_once(' ').unwrap_or((text, ""));
    let limits = head.split_once("..").and_then(|(min, max)| {
        let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        Some(Span { min: number(min)?, max: number(max)? })
    });
    limits.map_or((Span::default(), text), |limits| (limits, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_whole_api() {
        let table = table();
        assert_eq!(table.operations.len(), 37);
        let list = &table.operations["ListExecutions"].input;
        let max = list.iter().find(|member| member.name == "maxResults").unwrap();
        assert!(matches!(max.shape, Shape::Integer(Span { min: Some(0), max: Some(1000) })), "{max:?}");
        let alias = &table.operations["CreateStateMachineAlias"].input;
        assert!(matches!(&alias[1].shape, Shape::String(_, Some(pattern)) if pattern.starts_with("^(?=")));
        assert!(
            matches!(&alias[2].shape, Shape::List(Span { max: Some(2), .. }, of) if matches!(**of, Shape::Structure(_)))
        );
        assert!(table.operations["StartExecution"].errors.contains(&"ExecutionAlreadyExists"));
        fn named(shape: &Shape, found: &mut Vec<&'static str>) {
            match shape {
                Shape::Structure(name) => found.push(name),
                Shape::List(_, of) | Shape::Map(of) => named(of, found),
                _ => {}
            }
        }
        let mut names = Vec::new();
        let operations =
            table.operations.values().flat_map(|operation| operation.input.iter().chain(&operation.output));
        operations.chain(table.structures.values().flatten()).for_each(|member| named(&member.shape, &mut names));
        assert!(names.iter().all(|name| table.structures.contains_key(name)), "{names:?}");
    }
}
