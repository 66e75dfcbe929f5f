//! The small pieces, each by itself: `cargo bench -p asl-bench`.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use asl_expr::jsonata::{Expression, JsonataEnv};
use asl_expr::{NoEnv, Path, Template};
use asl_journal::Kept;
use asl_syntax::{Options, Source, load};
use asl_value::{Step, Value};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const FARE: &str = include_str!("../../../definitions/fare.asl.json");
/// An execution of it: its records as they are stored.
const HISTORY: &str = include_str!("../../../fixtures/histories/fare-happy.jsonl");

/// A document of about one kilobyte.
fn order() -> String {
    let items: Vec<String> = (0..8)
        .map(|n| format!(r#"{{"sku": "SKU-{n:05}", "quantity": {n}, "price": 12.5, "tags": ["new"]}}"#))
        .collect();
    format!(
        r#"{{"orderId": "7f3c9c1e-6f0b-4c1e-9c55-2c7a3a1c9f10", "status": "registered", "total": 1249.75,
            "customer": {{"id": "cust-00017", "name": "Ada Lovelace", "vip": true}}, "items": [{}],
            "note": "Ring twice; leave at the door when nobody answers, and send a message to the number on file."}}"#,
        items.join(", ")
    )
}

fn value(c: &mut Criterion) {
    let text = order();
    let document: Value = text.parse().expect("JSON");
    let place = [Step::key("customer"), Step::key("visits")];
    c.bench_function("value: parse 1 KB", |b| b.iter(|| black_box(&text).parse::<Value>()));
    c.bench_function("value: write 1 KB", |b| b.iter(|| black_box(&document).to_string()));
    c.bench_function("value: write at a path of a shared 1 KB", |b| {
        b.iter(|| {
            let mut copy = black_box(&document).clone();
            copy.set_path(&place, Value::from(1_i64)).map(|()| copy.measure())
        });
    });
}

struct World(Value);

impl JsonataEnv for World {
    fn states(&self) -> Value {
        asl_value::Map::from_iter([("input", self.0.clone())]).into()
    }
    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }
    fn random(&self) -> u64 {
        7
    }
    fn now_ms(&self) -> i64 {
        0
    }
}

fn expressions(c: &mut Criterion) {
    let document: Value = order().parse().expect("JSON");
    let template = r#"{"id.$": "$.orderId", "line.$": "States.Format('{} for {}', $.total, $.customer.name)"}"#;
    let template = Template::parse(&template.parse().expect("JSON")).expect("a template");
    let reference = Path::parse("$.customer.name").expect("a path");
    let filter = Path::parse("$.items[?(@.quantity > 3)].sku").expect("a path");
    c.bench_function("path: reference", |b| b.iter(|| reference.eval(black_box(&document), &NoEnv)));
    c.bench_function("path: filter", |b| b.iter(|| filter.eval(black_box(&document), &NoEnv)));
    c.bench_function("template: two fields", |b| b.iter(|| template.eval(black_box(&document), &NoEnv)));
    let world = World(document);
    for (name, text) in [
        ("jsonata: plain path", "$states.input.customer.name"),
        ("jsonata: arithmetic", "$states.input.total * 1.2"),
        ("jsonata: sum of products", "$sum($states.input.items.(quantity * price))"),
    ] {
        let expression = Expression::parse(text).expect("an expression");
        c.bench_function(name, |b| b.iter(|| expression.eval(black_box(&world))));
    }
}

fn definition(c: &mut Criterion) {
    let options = Options { lints: false, ..Options::default() };
    c.bench_function("definition: load the fare saga", |b| {
        b.iter(|| load(&Source::new("fare.asl.json", black_box(FARE)), &options).definition.is_some());
    });
}

fn records(c: &mut Criterion) {
    let kept = Kept { definition: String::new(), ..Kept::parse(HISTORY).expect("a history") };
    let text = kept.text().expect("in order");
    let number = kept.records.len();
    c.bench_function(&format!("records: encode {number} of the fare saga"), |b| b.iter(|| black_box(&kept).text()));
    c.bench_function(&format!("records: decode {number} of the fare saga"), |b| {
        b.iter(|| Kept::parse(black_box(&text)));
    });
}

criterion_group!(benches, value, expressions, definition, records);
criterion_main!(benches);
