//! The pictures of known machines and executions, kept as files. `ASL_UPDATE=1` writes them anew.
#![allow(clippy::disallowed_methods, reason = "tests read and write files")]

mod common;

use asl_core::{Event, TaskCall};
use asl_render::{TextOptions, dot, layout, mermaid, statuses, svg, text};
use asl_syntax::Definition;
use common::{Answer, definition_file, invoked, path, run};
use std::sync::Arc;

const FARE: &str = "../../definitions/fare.asl.json";
const FARE_INPUT: &str = r#"{"fareId": "f", "customerId": "c", "fareAmount": "$20.00"}"#;

fn check(name: &str, actual: &str, wrong: &mut Vec<String>) {
    let file = path("tests/snapshots").join(name);
    if std::env::var_os("ASL_UPDATE").is_some() {
        std::fs::write(&file, actual).unwrap();
    }
    if std::fs::read_to_string(&file).ok().as_deref() != Some(actual) {
        wrong.push(format!("{name} differs; now it is:\n{actual}"));
    }
}

fn draw(name: &str, definition: &Definition, events: Option<&[Event]>) {
    let graph = layout(definition);
    let statuses = events.map(|e| statuses(definition, e));
    let statuses = statuses.as_ref();
    let mut wrong = Vec::new();
    let wide = TextOptions { width: 200, ..TextOptions::default() };
    let plain = TextOptions { unicode: false, ..wide };
    let narrow = TextOptions { width: 40, ..wide };
    let colour = TextOptions { colour: true, ..wide };
    check(&format!("{name}.txt"), &text(&graph, statuses, &wide), &mut wrong);
    check(&format!("{name}.ascii.txt"), &text(&graph, statuses, &plain), &mut wrong);
    check(&format!("{name}.list.txt"), &text(&graph, statuses, &narrow), &mut wrong);
    check(&format!("{name}.colour.txt"), &text(&graph, statuses, &colour), &mut wrong);
    check(&format!("{name}.svg"), &svg(&graph, statuses), &mut wrong);
    check(&format!("{name}.mmd"), &mermaid(&graph, statuses), &mut wrong);
    check(&format!("{name}.dot"), &dot(&graph, statuses), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fare(failing: &'static [(&'static str, &'static str)]) -> (Arc<Definition>, Vec<Event>) {
    let definition = definition_file(FARE);
    let events = run(&definition, FARE_INPUT, false, |call: &TaskCall| {
        match failing.iter().find(|(state, _)| **state == *call.state) {
            Some((_, error)) => Answer::Failure(error),
            None => invoked(FARE_INPUT),
        }
    });
    (definition, events)
}

#[test]
fn machines() {
    draw("fare", &definition_file(FARE), None);
    for name in ["order", "poll", "names"] {
        draw(name, &definition_file(&format!("tests/machines/{name}.asl.json")), None);
    }
}

#[test]
fn the_five_outcomes_of_a_fare() {
    let outcomes: [(&str, &'static [(&str, &str)]); 5] = [
        ("fare-happy", &[]),
        ("fare-auth", &[("ChargeFare", "PaymentAuthException")]),
        ("fare-charge", &[("ChargeFare", "PaymentChargeException")]),
        ("fare-credit", &[("CreditCustomerAccount", "AccountCreditException")]),
        (
            "fare-refund",
            &[("CreditCustomerAccount", "AccountCreditException"), ("RefundFare", "PaymentRefundException")],
        ),
    ];
    for (name, failing) in outcomes {
        let (definition, events) = fare(failing);
        draw(name, &definition, Some(&events));
    }
}

/// A branch fails while the other one works: caught, aborted, and a way round a loop.
#[test]
fn a_branch_fails() {
    let definition = definition_file("tests/machines/order.asl.json");
    let input = r#"{"items": [{"id": "1"}, {"id": "2"}], "status": "open", "attempts": 1}"#;
    let events = run(&definition, input, false, |call| match &*call.state {
        "Pick" if call.iterations[0].1 == 0 => Answer::Failure("OutOfStock"),
        "Pick" => Answer::Failure("Broken"),
        "Charge" => Answer::Output(call.parameters.clone()),
        _ => invoked(input),
    });
    draw("order-failed", &definition, Some(&events));
}
