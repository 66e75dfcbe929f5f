//! Laws of the machine over random definitions and random answers: it never panics and always ends; its events are
//! numbered without gaps; a snapshot at any step changes nothing; replaying what was recorded gives the same events.

mod support;

use asl_core::items::parse;
use asl_core::{Event, EventKind, Failure, Input, Machine, MapRunId, Outcome, ReadItems, ResultFile, TaskCall, TaskId};
use asl_expr::Timestamp;
use asl_value::Value;
use proptest::prelude::*;
use std::fmt::Write;
use support::{Answers, Drive, EPOCH_MS, Record, World, definition, identity};

#[derive(Clone, Debug)]
enum Node {
    Pass,
    Assign,
    Wait(u8),
    Choice(u8),
    BadPath,
    Jsonata(u8),
    Task(Rules),
    Parallel(Vec<Vec<Node>>, Rules),
    Map { inside: Vec<Node>, at_once: u8, distributed: Option<u8>, rules: Rules },
}

/// `Retry` and `Catch`.
#[derive(Clone, Debug)]
struct Rules {
    retry: Option<(u8, u8)>,
    catch: bool,
}

fn rules() -> impl Strategy<Value = Rules> {
    (proptest::option::of((0_u8..3, 0_u8..3)), any::<bool>()).prop_map(|(retry, catch)| Rules { retry, catch })
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        4 => Just(Node::Pass),
        2 => Just(Node::Assign),
        2 => (0_u8..5).prop_map(Node::Wait),
        2 => (0_u8..4).prop_map(Node::Choice),
        1 => Just(Node::BadPath),
        3 => (0_u8..4).prop_map(Node::Jsonata),
        6 => rules().prop_map(Node::Task),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let flow = || proptest::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            (proptest::collection::vec(flow(), 1..4), rules()).prop_map(|(flows, rules)| Node::Parallel(flows, rules)),
            (flow(), 0_u8..3, proptest::option::of(0_u8..3), rules())
                .prop_map(|(inside, at_once, distributed, rules)| Node::Map { inside, at_once, distributed, rules }),
        ]
    })
}

/// Writes definitions; names and variables are numbered.
#[derive(Default)]
struct Text {
    names: usize,
}

impl Text {
    fn name(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    /// `"StartAt": …, "States": {…}`
    fn flow(&mut self, nodes: &[Node]) -> String {
        let names: Vec<usize> = nodes.iter().map(|_| self.name()).collect();
        let (fail, last) = (self.name(), self.name());
        let mut states = String::new();
        for (at, node) in nodes.iter().enumerate() {
            let next = names.get(at + 1).copied().unwrap_or(last);
            let body = self.state(node, next, fail, last);
            let _ = write!(states, r#""S{}":{{{body}}},"#, names[at]);
        }
        if nodes.iter().any(|node| matches!(node, Node::Choice(_))) {
            let _ = write!(states, r#""S{fail}":{{"Type":"Fail","Error":"E2","Cause":"asked for"}},"#);
        }
        format!(r#""StartAt":"S{}","States":{{{states}"S{last}":{{"Type":"Succeed"}}}}"#, names[0])
    }

    fn state(&mut self, node: &Node, next: usize, fail: usize, last: usize) -> String {
        let next = format!(r#""Next":"S{next}""#);
        match node {
            Node::Pass => format!(r#""Type":"Pass","Result":[1],"ResultPath":"$.r",{next}"#),
            Node::Assign => {
                let variable = self.name();
                format!(r#""Type":"Pass","Assign":{{"v{variable}.$":"States.UUID()"}},{next}"#)
            }
            Node::Wait(seconds) => format!(r#""Type":"Wait","Seconds":{seconds},{next}"#),
            Node::Choice(n) => format!(
                r#""Type":"Choice","Choices":[{{"Variable":"$.n","NumericEquals":{n},"Next":"S{fail}"}}],"Default":"S{}""#,
                next.trim_start_matches(r#""Next":"S"#).trim_end_matches('"')
            ),
            Node::BadPath => format!(r#""Type":"Pass","Parameters":{{"a.$":"$.r"}},"ResultPath":"$.b",{next}"#),
            Node::Jsonata(kind) => {
                format!(r#""QueryLanguage":"JSONata",{}{next}"#, jsonata_text(*kind, self.name(), last))
            }
            Node::Task(rules) => format!(
                r#""Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","TimeoutSeconds":5,"ResultPath":"$.t",{}{next}"#,
                rules_text(rules, last)
            ),
            Node::Parallel(flows, rules) => {
                let branches: Vec<String> = flows.iter().map(|flow| format!("{{{}}}", self.flow(flow))).collect();
                let rules = rules_text(rules, last);
                format!(r#""Type":"Parallel","Branches":[{}],"ResultPath":"$.p",{rules}{next}"#, branches.join(","))
            }
            Node::Map { inside, at_once, distributed, rules } => {
                let mode = match distributed {
                    Some(_) => r#"{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}"#,
                    None => r#"{"Mode":"INLINE"}"#,
                };
                let tolerated = distributed.map(|n| format!(r#""ToleratedFailureCount":{n},"#)).unwrap_or_default();
                let selector = r#""ItemsPath":"$.items","ItemSelector":{"items":[1,2],"n.$":"$$.Map.Item.Index"}"#;
                let inside = self.flow(inside);
                let rules = rules_text(rules, last);
                format!(
                    r#""Type":"Map",{selector},"MaxConcurrency":{at_once},"ItemProcessor":{{"ProcessorConfig":{mode},{inside}}},"ResultPath":"$.m",{tolerated}{rules}{next}"#
                )
            }
        }
    }
}

/// States that draw random values, fail to evaluate, retry and catch that, and compute numbers.
fn jsonata_text(kind: u8, variable: usize, last: usize) -> String {
    let object = r#"{"n":"{% $states.input.n %}","items":"{% [1, $states.input.n] %}","t":"{% $millis() %}"}"#;
    match kind {
        0 => format!(r#""Type":"Pass","Output":{object},"Assign":{{"v{variable}":"{{% $random() %}}"}},"#),
        1 => r#""Type":"Wait","Seconds":"{% $states.input.n + 0.5 %}","#.to_owned(),
        2 => format!(
            r#""Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Arguments":{{"MessageBody":"{{% $states.input.t.x %}}","QueueUrl":"q"}},"TimeoutSeconds":"{{% 5.5 %}}","Retry":[{{"ErrorEquals":["States.QueryEvaluationError"],"MaxAttempts":1}}],"Catch":[{{"ErrorEquals":["States.ALL"],"Output":"{{% $states.errorOutput %}}","Next":"S{last}"}}],"#
        ),
        _ => format!(
            r#""Type":"Map","Items":"{{% $states.input.items %}}","ItemSelector":"{{% $states.context.Map.Item %}}","MaxConcurrency":"{{% $states.input.n %}}","ItemProcessor":{{"StartAt":"J{variable}","States":{{"J{variable}":{{"Type":"Succeed"}}}}}},"#
        ),
    }
}

fn rules_text(rules: &Rules, last: usize) -> String {
    let mut out = String::new();
    if let Some((interval, attempts)) = rules.retry {
        let interval = interval + 1;
        let _ = write!(
            out,
            r#""Retry":[{{"ErrorEquals":["E1"],"IntervalSeconds":{interval},"MaxAttempts":{attempts}}},{{"ErrorEquals":["States.ALL"],"MaxAttempts":1,"JitterStrategy":"FULL"}}],"#
        );
    }
    if rules.catch {
        let _ = write!(out, r#""Catch":[{{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":"S{last}"}}],"#);
    }
    out
}

/// Answers that depend on the seed and the call alone.
struct Dice(u64);

impl Answers for Dice {
    fn task(&mut self, call: &TaskCall) -> Vec<(i64, Input)> {
        let task = call.id;
        let mix = (self.0 ^ task.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
        let after_ms = (mix >> 8) as i64 % 3 * 700;
        match mix % 8 {
            0 => vec![(after_ms, Input::TaskFailed { task, failure: Failure::new("E1", "no") })],
            1 => vec![(after_ms, Input::TaskFailed { task, failure: Failure::default() })],
            // Nobody answers: the timeout does.
            2 => Vec::new(),
            // Answers that do not fit, and a second one, are nobody's.
            3 => vec![
                (0, Input::TaskScheduled { task }),
                (0, Input::TaskStarted { task: TaskId(task.0 + 1), worker: None }),
                (0, Input::MapWritten { run: MapRunId(1) }),
                (0, Input::MapItems { run: MapRunId(task.0), items: Value::from(1) }),
                (after_ms, Input::TaskSubmitted { task, output: Value::Null }),
                (after_ms, Input::TaskSucceeded { task, output: Value::from(1) }),
                (after_ms, Input::ChildDone { run: MapRunId(1), child: mix, outcome: Outcome::Succeeded(Value::Null) }),
                (9000, Input::TaskHeartbeat { task }),
            ],
            _ => vec![(after_ms, Input::TaskSucceeded { task, output: Value::from(mix) })],
        }
    }

    fn read(&mut self, _: &ReadItems) -> Result<Value, Failure> {
        Ok(Value::empty_array())
    }

    fn write(&mut self, _: &str, _: Vec<ResultFile>) {}
}

/// `then` is when it is stopped, if at all, and how often it is redriven.
fn drive(text: &str, dice: u64, then: (Option<u8>, u8), drive: Drive) -> (Option<Outcome>, Vec<Event>, Vec<Record>) {
    let mut dice = Dice(dice);
    let machine = Machine::new(definition(text.to_owned(), false));
    let mut world = World::new(machine, &mut dice, drive, Timestamp::from_millis(EPOCH_MS));
    if let Some(seconds) = then.0 {
        world.plan(i64::from(seconds) * 1000, Input::Stop(Failure::default()));
    }
    let mut outcome = world.run(start());
    for _ in 0..then.1 {
        world.sleep(1000);
        if world.machine.redrivable(world.now).is_ok() {
            outcome = world.run(Input::Redrive);
        }
    }
    (outcome, world.events, world.records)
}

fn start() -> Input {
    Input::Start(Box::new(identity(r#"{"n":1,"items":[1,2,3],"r":0}"#.parse().unwrap(), false)))
}

const STRAIGHT: Drive = Drive { budget: 10_000, snapshots: false };

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn machines_end_snapshots_and_replays_agree(
        nodes in proptest::collection::vec(node(), 1..4),
        dice in any::<u64>(),
        stop in (proptest::option::weighted(0.3, 0_u8..8), 0_u8..3),
    ) {
        let text = format!("{{{}}}", Text::default().flow(&nodes));
        let (outcome, events, records) = drive(&text, dice, stop, STRAIGHT);
        prop_assert!(outcome.is_some(), "it never ends: {text}");

        for (at, event) in (1..).zip(&events) {
            prop_assert_eq!(event.id, at);
            prop_assert!(event.previous < event.id, "{:?}", event);
        }
        let ends = events.iter().filter(|event| event.kind.ends_execution()).count();
        let redriven = events.iter().filter(|event| matches!(event.kind, EventKind::ExecutionRedriven { .. })).count();
        let last = events.last().is_some_and(|e| e.kind.ends_execution());
        prop_assert!(ends == 1 + redriven && last, "one event ends it, the last; and one before each redrive");

        let (again, step_by_step, _) = drive(&text, dice, stop, Drive { budget: 1, snapshots: true });
        prop_assert_eq!(&outcome, &again);
        prop_assert_eq!(&events, &step_by_step);

        let mut machine = Machine::new(definition(text, false));
        // An observer looks on and changes nothing.
        machine.observe();
        for record in records {
            for input in record.inputs {
                machine.handle(input, record.now).expect("a recorded input was taken");
            }
            machine.run(record.now, record.steps);
        }
        prop_assert_eq!(&events, &machine.take_effects().events);
        prop_assert_eq!(outcome.as_ref(), machine.outcome());
    }
}

/// A Distributed Map over many items holds no more children than run at once.
#[test]
fn children_are_made_as_places_come_free() {
    let text = r#"{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":4,"End":true,
        "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
        "StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}}"#;
    let mut dice = Dice(0);
    let machine = Machine::new(definition(text.to_owned(), false));
    let mut world = World::new(machine, &mut dice, STRAIGHT, Timestamp::from_millis(EPOCH_MS));
    let items: Value = (0..2000_u32).map(Value::from).collect();
    let outcome = world.run(Input::Start(Box::new(identity(items.clone(), false))));
    assert_eq!(outcome, Some(Outcome::Succeeded(items)));
    assert_eq!(world.most_children, 4);
}

fn csv(config: &str, body: &str) -> Result<Value, Failure> {
    parse(&config.parse().unwrap(), body.as_bytes(), None)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a file holds: items or an error, never a panic.
    #[test]
    fn any_text_is_items_or_an_error(text in r#"[a-c0-9,;"\\\[\]{}:\r\n \t|é-]{0,60}"#, delimiter in 0_usize..5) {
        let delimiter = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"][delimiter];
        for kind in ["JSON", "JSONL", "CSV"] {
            let config = format!(r#"{{"InputType":"{kind}","CSVDelimiter":"{delimiter}","CSVHeaderLocation":"FIRST_ROW"}}"#);
            let _ = csv(&config, &text);
        }
    }

    /// Quoted fields come back as they were, and rows keep their order.
    #[test]
    fn quoted_fields_come_back(rows in proptest::collection::vec((r#"[a-z,"\n é]{0,8}"#, "[a-z]{1,4}"), 0..8)) {
        let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let body: String = rows.iter().map(|(a, b)| format!("{},{}\n", quoted(a), quoted(b))).collect();
        let config = r#"{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["h1","h2"]}"#;
        let items = csv(config, &body).unwrap();
        let read: Vec<(&str, &str)> = items.as_array().unwrap().iter()
            .map(|item| (item["h1"].as_str().unwrap(), item["h2"].as_str().unwrap()))
            .collect();
        let wrote: Vec<(&str, &str)> = rows.iter().map(|(a, b)| (&**a, &**b)).collect();
        prop_assert_eq!(read, wrote);
    }
}

/// A branch that was taken down before it had entered its first state enters it when the execution is redriven.
#[test]
fn a_redrive_enters_what_was_not_entered() {
    let patient = || Rules { retry: Some((0, 0)), catch: false };
    let strict = || Rules { retry: None, catch: false };
    let branches = Node::Parallel(vec![vec![Node::Pass], vec![Node::Task(patient())]], patient());
    // The first iteration fails at once, for JSONata's concurrency of 0; the others are on their way then.
    let inside = vec![Node::Jsonata(3), branches];
    let map = Node::Map { inside, at_once: 0, distributed: None, rules: strict() };
    let text = format!("{{{}}}", Text::default().flow(&[Node::Parallel(vec![vec![map]], strict())]));
    let (_, events, _) = drive(&text, 0, (None, 1), STRAIGHT);
    let types: Vec<String> = events.iter().map(Event::type_name).collect();
    assert!(types.iter().any(|kind| kind == "ExecutionRedriven"), "{types:?}");
    for event in events.iter().filter(|event| event.type_name() == "TaskScheduled") {
        let before = &types[event.previous as usize - 1];
        assert_ne!(before, "ParallelStateStarted", "event {} follows {}", event.id, event.previous);
    }
}
