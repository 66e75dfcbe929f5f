//! The differences that are known: `known.json`, an entry each, told in `docs/reference/jsonata.md`.

use asl_value::Value;

/// A known difference. All of its parts must be found for it to cover a case; the parts that are left out cover all.
pub(crate) struct Known {
    /// What it is called in the documentation.
    pub(crate) name: String,
    /// An expression that shows it: it must differ, over the first document.
    pub(crate) example: String,
    expression: Vec<String>,
    /// The documents it is seen over.
    documents: Vec<usize>,
    reference: Vec<String>,
    here: Vec<String>,
    /// Both are errors with a code.
    errors: bool,
    /// Both are the same in another order.
    order: bool,
}

fn sorted(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes
}

impl Known {
    pub(crate) fn covers(&self, text: &str, document: usize, reference: &str, here: &str) -> bool {
        let one = |parts: &[String], of: &str| parts.is_empty() || parts.iter().any(|part| of.contains(part.as_str()));
        let coded =
            |of: &str| of.as_bytes().get(5) == Some(&b':') && of.as_bytes()[1..5].iter().all(u8::is_ascii_digit);
        let errors = !self.errors || (coded(reference) && coded(here));
        let order = !self.order || sorted(reference) == sorted(here);
        errors
            && (self.documents.is_empty() || self.documents.contains(&document))
            && order
            && one(&self.expression, text)
            && one(&self.reference, reference)
            && one(&self.here, here)
    }
}

pub(crate) fn load() -> Vec<Known> {
    let all: Value = include_str!("known.json").parse().expect("known.json is JSON");
    let strings = |value: &Value| -> Vec<String> {
        let items = value.as_array().map(|items| items.to_vec()).unwrap_or_default();
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let rules = all.as_array().expect("an array").iter().map(|rule| Known {
        name: rule["name"].as_str().unwrap_or_default().to_owned(),
        example: rule["example"].as_str().unwrap_or_default().to_owned(),
        expression: strings(&rule["expression"]),
        documents: rule["documents"]
            .as_array()
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_i64)
            .map(|n| n as usize)
            .collect(),
        reference: strings(&rule["reference"]),
        here: strings(&rule["here"]),
        errors: rule["errors"].as_bool() == Some(true),
        order: rule["order"].as_bool() == Some(true),
    });
    rules.collect()
}
