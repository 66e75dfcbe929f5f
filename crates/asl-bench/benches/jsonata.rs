//! Expressions over a thousand items, beside the same in other implementations: `cargo bench -p asl-bench --bench jsonata`.
//!
//! Beside the crate `jsonata-core`, without what converting a document to its values costs, and beside node with the npm
//! package `jsonata` 2.0.6, where `ASL_JSONATA_REFERENCE` or `target/jsonata-2.0.6` has it.
#![allow(missing_docs, reason = "a program")]

use asl_expr::jsonata::{Expression, JsonataEnv};
use asl_value::Value;
use jsonata_core::evaluator::{Context, Evaluator};
use jsonata_core::value::JValue;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEMS: usize = 1_000;
const SLICE: Duration = Duration::from_millis(300);

const EXPRESSIONS: [(&str, &str); 6] = [
    ("a projection", "$states.input.items.name"),
    ("a filter", "$states.input.items[price > 50]"),
    ("$map with a lambda", "$map($states.input.items, function($v){ {'id': $v.id, 'total': $v.price * $v.quantity} })"),
    ("$reduce", "$reduce($states.input.items, function($sum, $v){ $sum + $v.price }, 0)"),
    ("$sort", "$sort($states.input.items, function($l, $r){ $l.price > $r.price })"),
    ("string building", "$join($states.input.items.(name & ': ' & $string(price)), ', ')"),
];

/// Items of about 100 bytes.
fn document() -> String {
    let item = |n: usize| {
        let price = (n * 7919) % 1000;
        format!(
            r#"{{"id":{n},"name":"item number {n}","price":{}.25,"quantity":{},"tags":["new","fragile"],"sku":"SKU-{n:05}"}}"#,
            price / 10,
            n % 9 + 1
        )
    };
    let items: Vec<String> = (0..ITEMS).map(item).collect();
    format!(r#"{{"input":{{"items":[{}]}}}}"#, items.join(","))
}

struct World(Value);

impl JsonataEnv for World {
    fn states(&self) -> Value {
        self.0.clone()
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

/// The time this thread has had on a processor in microseconds, so that what else runs counts little; the time since `start`
/// where the system does not tell.
fn worked(start: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_ascii_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64() * 1e6, |ns| ns / 1e3)
}

/// The microseconds of one run: the least of five slices.
fn microseconds(mut work: impl FnMut()) -> f64 {
    work();
    let mut slice = || {
        let (start, mut count) = (Instant::now(), 0u32);
        let before = worked(start);
        while start.elapsed() < SLICE {
            work();
            count += 1;
        }
        (worked(start) - before) / f64::from(count)
    };
    (0..5).map(|_| slice()).fold(f64::INFINITY, f64::min)
}

fn to_crate(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(b) => JValue::Bool(*b),
        Value::Number(n) => JValue::Number(n.as_f64()),
        Value::String(s) => JValue::string(&**s),
        Value::Array(items) => JValue::array(items.iter().map(to_crate).collect()),
        Value::Object(map) => JValue::object(map.iter().map(|(k, v)| (k.to_string(), to_crate(v))).collect()),
    }
}

fn of_the_crate(text: &str, document: &Value) -> f64 {
    let ast = jsonata_core::parser::parse(text).expect("an expression");
    let mut context = Context::new();
    context.bind("states".to_owned(), to_crate(document));
    let mut evaluator = Evaluator::with_context(context);
    microseconds(|| {
        black_box(evaluator.evaluate(&ast, &JValue::Undefined).expect("a value"));
    })
}

/// What node needs for each expression, in microseconds.
fn of_node(document: &str) -> Option<Vec<f64>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let package = std::env::var("ASL_JSONATA_REFERENCE")
        .map_or_else(|_| workspace.join("target/jsonata-2.0.6/node_modules/jsonata"), PathBuf::from);
    let script = r"
        const [package, document, expressions] = process.argv.slice(1);
        const jsonata = require(package);
        const states = JSON.parse(require('fs').readFileSync(document, 'utf8'));
        (async () => {
            for (const text of JSON.parse(expressions)) {
                const expression = jsonata(text);
                const run = () => expression.evaluate(undefined, { states });
                for (let i = 0; i < 20; i++) { await run(); }
                let least = Infinity;
                for (let slice = 0; slice < 5; slice++) {
                    const start = process.hrtime.bigint();
                    const before = process.cpuUsage();
                    let count = 0;
                    do { await run(); count++; } while (process.hrtime.bigint() - start < 300000000n);
                    const used = process.cpuUsage(before);
                    least = Math.min(least, (used.user + used.system) / count);
                }
                console.log(least);
            }
        })();";
    let file = tempfile::NamedTempFile::new().ok()?;
    std::fs::write(file.path(), document).ok()?;
    let texts: Value = EXPRESSIONS.iter().map(|(_, text)| Value::from(*text)).collect();
    let output = Command::new("node")
        .args(["-e", script])
        .arg(package.canonicalize().ok()?)
        .arg(file.path())
        .arg(texts.to_string())
        .output()
        .ok()?;
    let times: Vec<f64> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect();
    (times.len() == EXPRESSIONS.len()).then_some(times)
}

fn main() {
    let text = document();
    let world = World(text.parse().expect("JSON"));
    let node = of_node(&text);
    println!("{ITEMS} items of {} bytes; microseconds of processor time for an evaluation", text.len() / ITEMS);
    println!("{:22} {:>9} {:>13} {:>6} {:>10} {:>6}", "", "here", "jsonata-core", "times", "node", "times");
    for (index, (name, text)) in EXPRESSIONS.iter().enumerate() {
        let expression = Expression::parse(text).expect("an expression");
        let here = microseconds(|| {
            black_box(expression.eval(&world).expect("a value"));
        });
        let other = of_the_crate(text, &world.0);
        let node = node.as_ref().map_or(f64::NAN, |times| times[index]);
        println!("{name:22} {here:9.1} {other:13.1} {:6.1} {node:10.1} {:6.1}", other / here, node / here);
    }
    let typical = "$states.input.items[price > 50 and $contains(name, '1')].{'id': id, 'label': name & ' (' & $string(price) & ')'}";
    let here = microseconds(|| {
        black_box(Expression::parse(typical).expect("an expression"));
    });
    let other = microseconds(|| {
        black_box(jsonata_core::parser::parse(typical).expect("an expression"));
    });
    println!("{:22} {here:9.1} {other:13.1} {:6.1}", "parse and compile", other / here);
}
