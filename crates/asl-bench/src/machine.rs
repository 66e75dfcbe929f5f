//! The machine in memory, on one core, without a journal; events are kept.

use crate::Bench;
use crate::measure::{in_turns, median, peak_growth, per_second};
use crate::report::Figure;
use asl_core::{Event, EventKind, Execution, ExecutionType, Input, Limits, Machine, Outcome, Progress};
use asl_expr::Timestamp;
use asl_syntax::model::{Definition, StateType};
use asl_syntax::{Options, Source, load};
use asl_value::{Step, Value};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SLICE: Duration = Duration::from_millis(400);
/// Rounds of the loops: as many as a history of 25,000 events holds.
const ROUNDS: u32 = 6_000;
const CHAIN: u32 = 1_000;

/// A document of about one kilobyte: an order.
pub(crate) fn document() -> Value {
    document_of(1)
}

/// An order of about so many kilobytes.
pub(crate) fn document_of(kilobytes: u32) -> Value {
    let item = |n: u32| json!({"sku": format!("SKU-{n:05}"), "quantity": n, "price": 12.5, "tags": ["new", "fragile"]});
    let order = json!({
        "orderId": "7f3c9c1e-6f0b-4c1e-9c55-2c7a3a1c9f10", "status": "registered", "total": 1249.75, "count": 0,
        "customer": {"id": "cust-00017", "name": "Ada Lovelace", "email": "ada@example.com", "vip": true},
        "items": (0..8 + 13 * (kilobytes - 1)).map(item).collect::<Vec<_>>(),
        "address": {"street": "12 St James's Square", "city": "London", "zip": "SW1Y 4LB", "country": "GB"},
        "note": "Ring twice; leave at the door when nobody answers, and please send a message to the number on file."
    });
    order.to_string().parse().expect("serde_json writes JSON")
}

pub(crate) fn definition(text: &serde_json::Value) -> Arc<Definition> {
    let loaded = load(&Source::new("bench", text.to_string()), &Options { lints: false, ..Options::default() });
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn execution(input: &Value) -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:000000000000:execution:bench:one".into(),
        name: "one".into(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:bench".into(),
        state_machine_name: "bench".into(),
        role_arn: "arn:aws:iam::000000000000:role/bench".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: 1,
        token_key: None,
        input_text: "{}".into(),
        input: input.clone(),
    }
}

/// Runs an execution to its end, `budget` steps at a time; `take` gets the events of each run.
fn drive(mut machine: Machine, input: &Value, budget: u32, mut take: impl FnMut(Vec<Event>)) -> Machine {
    let now = Timestamp::from_millis(1_767_225_600_000);
    machine.handle(Input::Start(Box::new(execution(input))), now).expect("a new machine starts");
    loop {
        let step = machine.run(now, budget);
        take(machine.take_effects().events);
        if step.progress != Progress::Yielded {
            break;
        }
    }
    assert!(matches!(machine.outcome(), Some(Outcome::Succeeded(_))), "{:?}", machine.outcome());
    machine
}

/// Runs an execution to its end; its events.
fn run(definition: &Arc<Definition>, input: &Value) -> Vec<Event> {
    let mut events = Vec::new();
    drive(Machine::new(definition.clone()), input, 10_000, |mut more| events.append(&mut more));
    events
}

/// Runs an execution over AWS's limits to its end. Events are dropped as they come, as a journal does that has written them.
pub(crate) fn run_large(definition: &Arc<Definition>, input: &Value) -> Machine {
    let limits = Limits { payload_bytes: 1 << 30, history_events: 1 << 40 };
    drive(Machine::with_limits(definition.clone(), limits), input, 1_000, drop)
}

/// Each state that was entered is a transition.
fn transitions(events: &[Event]) -> u64 {
    events.iter().filter(|e| matches!(e.kind, EventKind::StateEntered { .. })).count() as u64
}

/// Runs an execution to its end, and says how many transitions it made.
pub(crate) fn transitions_of(definition: Arc<Definition>, input: Value) -> impl FnMut() -> u64 {
    let each = transitions(&run(&definition, &input));
    move || {
        std::hint::black_box(run(&definition, &input));
        each
    }
}

/// The transitions of a machine in a second, beside its ceiling; they take turns.
fn compared(
    name: &str,
    definition: Arc<Definition>,
    input: Value,
    mut hand: impl FnMut() -> u64,
    what: &'static str,
) -> Figure {
    let rounds = in_turns(SLICE, [&mut transitions_of(definition, input), &mut hand]);
    let mut rates: Vec<f64> = rounds.iter().map(|[ours, _]| *ours).collect();
    Figure::higher(name, median(&mut rates), "transitions/s").under(rounds.into_iter().map(<(f64, f64)>::from), what)
}

/// Ceiling: the values and events of such a run, made by hand.
fn by_hand(rounds: u32, input: Value, mut next: impl FnMut(&Value, u32) -> Value) -> impl FnMut() -> u64 {
    let name: Arc<str> = "Name".into();
    let timestamp = Timestamp::from_millis(1_767_225_600_000);
    move || {
        let mut events: Vec<Event> = Vec::new();
        let mut value = input.clone();
        let mut push = |kind| {
            let id = events.len() as u64 + 1;
            events.push(Event { id, previous: id - 1, timestamp, kind });
        };
        for round in 0..rounds {
            push(EventKind::StateEntered { state: StateType::Pass, name: name.clone(), input: value.clone() });
            value = next(&value, round);
            let (name, output) = (name.clone(), value.clone());
            push(EventKind::StateExited { state: StateType::Pass, name, output, assigned: Vec::new() });
        }
        std::hint::black_box(events.len());
        u64::from(rounds)
    }
}

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[
    // First, while no freed memory of others is there to grow into.
    ("machine.large-map", || map_memory(1_000_000)),
    ("machine.chain", || vec![pass_chain()]),
    ("machine.loop", || vec![counter_loop()]),
    ("machine.result-path", || vec![result_path()]),
    ("machine.jsonata", || vec![jsonata_loop(), jsonata_map(1_000)]),
    ("machine.map", || vec![map(1_000)]),
];

fn pass_chain() -> Figure {
    let states: serde_json::Map<String, serde_json::Value> = (0..CHAIN)
        .map(|n| {
            let mut state = json!({"Type": "Pass"});
            let (key, value) =
                if n + 1 < CHAIN { ("Next", json!(format!("S{}", n + 1))) } else { ("End", json!(true)) };
            state[key] = value;
            (format!("S{n}"), state)
        })
        .collect();
    let chain = definition(&json!({"StartAt": "S0", "States": states}));
    let hand = by_hand(CHAIN, document(), |value, _| value.clone());
    compared("machine: chain of Pass, 1 KB", chain, document(), hand, "events made by hand")
}

/// A loop of a Choice and a Pass that counts, and its input: four events a round.
pub(crate) fn loop_of(rounds: u32) -> (Arc<Definition>, Value) {
    let machine = definition(&json!({"StartAt": "More", "States": {
        "More": {"Type": "Choice", "Choices": [{"Variable": "$.count", "NumericLessThan": rounds, "Next": "Add"}], "Default": "Done"},
        "Add": {"Type": "Pass", "Parameters": {"count.$": "States.MathAdd($.count, 1)"}, "Next": "More"},
        "Done": {"Type": "Succeed"},
    }}));
    (machine, r#"{"count": 0}"#.parse().expect("JSON"))
}

fn counter_loop() -> Figure {
    let (machine, input) = loop_of(ROUNDS);
    let hand = by_hand(2 * ROUNDS, input.clone(), |value, round| {
        if round % 2 == 0 {
            return value.clone();
        }
        let count = value.get("count").and_then(Value::as_i64).unwrap_or(0);
        Value::from(asl_value::Map::from_iter([("count", Value::from(count + 1))]))
    });
    compared("machine: Choice and MathAdd loop", machine, input, hand, "values and events made by hand")
        .goal(1.5e6, 3e6)
}

/// A chain of Pass states, each of which writes into the customer of the [`document`].
pub(crate) fn writes() -> Arc<Definition> {
    let states: serde_json::Map<String, serde_json::Value> = (0..CHAIN)
        .map(|n| {
            let mut state = json!({"Type": "Pass", "Result": n, "ResultPath": "$.customer.visits"});
            let (key, value) =
                if n + 1 < CHAIN { ("Next", json!(format!("S{}", n + 1))) } else { ("End", json!(true)) };
            state[key] = value;
            (format!("S{n}"), state)
        })
        .collect();
    definition(&json!({"StartAt": "S0", "States": states}))
}

fn result_path() -> Figure {
    let chain = writes();
    let place = [Step::key("customer"), Step::key("visits")];
    let hand = by_hand(CHAIN, document(), move |value, round| {
        let mut value = value.clone();
        value.set_path(&place, Value::from(i64::from(round))).expect("customer is an object");
        value
    });
    compared("machine: ResultPath into 1 KB", chain, document(), hand, "values and events made by hand")
        .goal(0.7e6, 1.5e6)
}

/// The loop of [`loop_of`] in JSONata, beside it.
fn jsonata_loop() -> Figure {
    let machine = definition(&json!({"QueryLanguage": "JSONata", "StartAt": "More", "States": {
        "More": {"Type": "Choice", "Choices": [{"Condition": format!("{{% $states.input.count < {ROUNDS} %}}"), "Next": "Add"}], "Default": "Done"},
        "Add": {"Type": "Pass", "Output": {"count": "{% $states.input.count + 1 %}"}, "Next": "More"},
        "Done": {"Type": "Succeed"},
    }}));
    let (path_machine, input) = loop_of(ROUNDS);
    let rounds =
        in_turns(SLICE, [&mut transitions_of(machine, input.clone()), &mut transitions_of(path_machine, input)]);
    let mut rates: Vec<f64> = rounds.iter().map(|[ours, _]| *ours).collect();
    Figure::higher("machine: the same loop in JSONata", median(&mut rates), "transitions/s")
        .beside(rounds.into_iter().map(<(f64, f64)>::from), "in JSONPath")
        .ratio_goal(0.4, 0.7)
}

/// A Map whose states compute in JSONata, beside one whose states compute the same in JSONPath.
fn jsonata_map(items: u32) -> Figure {
    let map = |language: &str, state: serde_json::Value| {
        definition(&json!({"QueryLanguage": language, "StartAt": "Each", "States": {"Each": {
            "Type": "Map", "ItemProcessor": {"StartAt": "One", "States": {"One": state}}, "End": true,
        }}}))
    };
    let jsonata = map("JSONata", json!({"Type": "Pass", "Output": {"next": "{% $states.input + 1 %}"}, "End": true}));
    let path = map("JSONPath", json!({"Type": "Pass", "Parameters": {"next.$": "States.MathAdd($, 1)"}, "End": true}));
    let input: Value = (0..items).map(|n| Value::from(i64::from(n))).collect();
    let each = |machine: &Arc<Definition>| {
        std::hint::black_box(run(machine, &input));
        u64::from(items)
    };
    let rounds = in_turns(SLICE, [&mut || each(&jsonata), &mut || each(&path)]);
    let mut rates: Vec<f64> = rounds.iter().map(|[ours, _]| *ours).collect();
    Figure::higher(format!("machine: Map of {items} items in JSONata"), median(&mut rates), "items/s")
        .beside(rounds.into_iter().map(<(f64, f64)>::from), "in JSONPath")
        .ratio_goal(0.4, 0.7)
}

/// A Map of a Pass, and so many items.
pub(crate) fn map_of(items: u32) -> (Arc<Definition>, Value) {
    let machine = definition(&json!({"StartAt": "Each", "States": {"Each": {
        "Type": "Map", "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}, "End": true,
    }}}));
    let items: Vec<Value> = (0..items).map(|n| Value::from(i64::from(n))).collect();
    (machine, Value::from(items))
}

fn map(items: u32) -> Figure {
    let (machine, input) = map_of(items);
    let each = u64::from(items);
    let rate = per_second(SLICE, || {
        std::hint::black_box(run(&machine, &input));
        each
    });
    Figure::higher(format!("machine: Map of {items} items"), rate, "items/s")
}

/// A Map far beyond AWS's limits: what it needs besides its input and its result.
fn map_memory(items: u32) -> Vec<Figure> {
    let (machine, input) = map_of(items);
    let (start, Some((done, growth))) = (Instant::now(), peak_growth(|| run_large(&machine, &input))) else {
        return Vec::new();
    };
    let rate = f64::from(items) / start.elapsed().as_secs_f64();
    let Some(Outcome::Succeeded(Value::Array(result))) = done.outcome() else { return Vec::new() };
    let result_bytes = result.len() * size_of::<Value>();
    let extra = growth.saturating_sub(result_bytes as u64) as f64 / f64::from(1 << 20);
    let name = format!("machine: Map of {items} items");
    vec![
        Figure::higher(name.clone(), rate, "items/s"),
        Figure::lower(name + ", peak beyond input and result", extra, "MB").goal(32.0, 8.0),
    ]
}
