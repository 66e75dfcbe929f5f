//! `asl run --mock`: the answers of one test case of a mock configuration.

use crate::args::Mocking;
use crate::exit::Trouble;
use crate::render::snippet::Finding;
use asl::Definition;
use asl::parts::mock::{MockError, MockErrorKind, Mocks};
use asl::parts::syntax::Severity;
use std::path::Path;

/// The mocks of a test case for a state machine; without a name, of the only one it has. With a definition, they must be
/// of its states. The machine may go by any of its names: that of a template has a logical id too, the last one here.
pub(crate) fn load(
    file: &Path,
    machines: &[&str],
    case: Option<&str>,
    definition: Option<&Definition>,
) -> Result<Mocks, Trouble> {
    let shown = file.to_string_lossy();
    // `FILE#CASE`, as Step Functions Local has it behind an ARN; unless a file is called so.
    let (file, case) = match shown.rsplit_once('#') {
        Some((path, named)) if case.is_none() && !file.exists() => (Path::new(path), Some(named)),
        _ => (file, case),
    };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|problem| {
        Trouble::new(format!("the mock configuration {name} cannot be read: {problem}")).hint("check the path")
    })?;
    let has_cases = |machine: &&&str| Mocks::test_cases(&text, machine).is_ok_and(|cases| !cases.is_empty());
    let machine = machines.iter().find(has_cases).or(machines.last()).copied().unwrap_or_default();
    let told = |error: MockError| Trouble::Places(vec![finding(&name, &text, machine, error)]);
    let cases = Mocks::test_cases(&text, machine).map_err(told)?;
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
    let mocks = Mocks::load(&text, machine, case).map_err(told)?;
    let misplaced = definition.map(|definition| mocks.misplaced(definition)).unwrap_or_default();
    if misplaced.is_empty() {
        return Ok(mocks);
    }
    Err(Trouble::Places(misplaced.into_iter().map(|error| finding(&name, &text, machine, error)).collect()))
}

/// Those of an execution of this state machine that are asked for; none where none are.
pub(crate) fn asked(args: &Mocking, machine: &str) -> Result<Mocks, Trouble> {
    match &args.mock {
        Some(file) => load(file, &[machine], args.mock_case.as_deref(), None),
        None => Ok(Mocks::default()),
    }
}

fn finding(file: &str, text: &str, machine: &str, error: MockError) -> Finding {
    let (message, help) = match error.kind {
        MockErrorKind::NotJson => (format!("the mock configuration is not JSON: {}", error.message), None),
        MockErrorKind::StateMachine => {
            (error.message, Some(format!("a state machine is named after its file; add StateMachines.{machine}")))
        }
        MockErrorKind::TestCase => (error.message, Some("choose one with --mock-case".to_owned())),
        _ => (error.message, None),
    };
    Finding {
        severity: Severity::Error,
        rule: None,
        message,
        file: file.to_owned(),
        text: text.into(),
        span: error.span.map(|span| span.start..span.end),
        labels: Vec::new(),
        help: error.help.or(help),
    }
}
