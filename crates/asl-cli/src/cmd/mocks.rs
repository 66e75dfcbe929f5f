//! `asl run --mock`: the answers of one test case of a mock configuration.

use super::not_json;
use crate::exit::Trouble;
use asl::parts::mock::{MockError, Mocks};
use asl::{Map, Value};
use std::path::Path;

/// The mocks of a test case for a state machine; without a name, of the only one it has.
pub(crate) fn load(file: &Path, machine: &str, case: Option<&str>) -> Result<Mocks, Trouble> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|problem| {
        Trouble::new(format!("the mock configuration {name} cannot be read: {problem}")).hint("check the path")
    })?;
    let config: Value = text.parse().map_err(|problem| not_json("the mock configuration", &name, &text, &problem))?;
    let cases = config["StateMachines"][machine]["TestCases"].as_object();
    let cases: Vec<&str> = cases.into_iter().flat_map(Map::keys).map(|case| &**case).collect();
    let case = match (case, cases.as_slice()) {
        (Some(case), _) => case,
        (None, [only]) => only,
        // No case has the empty name: what is missing, the state machine or its cases, is told below.
        (None, []) => "",
        (None, several) => {
            let message = format!("{name} has several test cases for '{machine}': {}", several.join(", "));
            return Err(Trouble::new(message).hint("choose one with --mock-case"));
        }
    };
    Mocks::load(&text, machine, case).map_err(|problem| {
        let trouble = Trouble::new(format!("{name}: {problem}"));
        match problem {
            MockError::Unknown { what, .. } if what == "state machine" => {
                trouble.hint(format!("a state machine is named after its file; add StateMachines.{machine}"))
            }
            MockError::Unknown { what, .. } if what != "response" => trouble.hint("choose one with --mock-case"),
            _ => trouble,
        }
    })
}
