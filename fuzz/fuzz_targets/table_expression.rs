//! The expressions of the embedded table through the calls of tasks: update, condition, projection (a line each), an item
//! (a line) and the values of placeholders (the rest; fixed ones for those not given).
#![no_main]

use asl_fuzz::{parts, reads_back};
use asl_task::embedded::{Dialect, Identity, MemoryStore, ServiceCall, ServiceError, Services, ServicesSpec};
use asl_value::{Map, Value};
use libfuzzer_sys::fuzz_target;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

static SERVICES: LazyLock<Services> = LazyLock::new(|| {
    let spec: ServicesSpec = toml::from_str(r#"tables.Items.HashKey = "id""#).expect("the declaration is TOML");
    Services::new(&spec, Identity::new("us-east-1", "123456789012")).expect("the declaration is right")
});

const ITEM: &str = r#"{"a":{"M":{"b":{"L":[{"N":"1"},{"S":"x"},{"SS":["x","y"]},{"M":{"c":{"BOOL":true}}}]}}},"n":{"N":"5"},
"s":{"S":"text"},"l":{"L":[{"N":"2"},{"S":"x"}]},"ss":{"SS":["x","y"]},"ns":{"NS":["1","2.5"]},"bin":{"B":"AAH/"},"z":{"NULL":true}}"#;
const VALUES: &str = r#"{":v":{"N":"1.50"},":a":{"N":"-9e99"},":b":{"N":"1e-130"},":n":{"N":"5"},":s":{"S":"x"},":e":{"L":[]},
":l":{"L":[{"N":"2"}]},":m":{"M":{"c":{"S":""}}},":ss":{"SS":["x"]},":ns":{"NS":["2.50"]},":bin":{"B":"AA=="},":z":{"NULL":true},
":t":{"S":"SS"},":k":{"S":"1"},":x":{"BOOL":false}}"#;
const NAMES: &str = r##"{"#n":"n","#s":"s","#a":"a","#b":"b","#l":"size","#x":"with.dot","#i":"id"}"##;

fuzz_target!(|text: &str| {
    let [update, condition, projection, item, values] = parts(text);
    let mut table = Table { store: MemoryStore::new() };
    let object = |text: &str| text.parse::<Value>().ok().and_then(|v| v.as_object().cloned()).unwrap_or_default();
    let read =
        |text: &str| -> Map { text.parse::<Value>().expect("a constant").as_object().cloned().unwrap_or_default() };
    let placeholders = Placeholders { values: [object(values), read(VALUES)], names: read(NAMES) };

    let mut given = object(item);
    given.insert("id", read(r#"{"S":"1"}"#));
    if table.put(given).is_ok() {
        // What came back is what goes in again: numbers are canonical, sets in order.
        let once = table.item();
        table.put(once.clone()).expect("what it gave, it takes");
        assert_eq!(table.item(), once);
    }
    let mut fixed = read(ITEM);
    fixed.insert("id", read(r#"{"S":"1"}"#));
    table.put(fixed).expect("the fixed item is right");
    let before = table.item();

    for (action, expressions) in [
        ("updateItem", [("UpdateExpression", update), ("ConditionExpression", condition)]),
        ("updateItem", [("UpdateExpression", update), ("ConditionExpression", "")]),
        ("deleteItem", [("ConditionExpression", condition), ("ReturnValues", "ALL_OLD")]),
        ("getItem", [("ProjectionExpression", projection), ("", "")]),
        ("scan", [("FilterExpression", condition), ("ProjectionExpression", projection)]),
        ("query", [("FilterExpression", condition), ("KeyConditionExpression", "#i = :k")]),
        ("query", [("KeyConditionExpression", update), ("ProjectionExpression", projection)]),
    ] {
        table.check(action, placeholders.parameters(action, &expressions), &before);
    }
});

/// A table and what is in it.
struct Table {
    store: MemoryStore,
}

impl Table {
    fn put(&mut self, item: impl Into<Value>) -> Result<Value, ServiceError> {
        let item = Map::from_iter([("TableName", Value::from("Items")), ("Item", item.into())]);
        call(&mut self.store, "putItem", &item.into())
    }

    fn item(&mut self) -> Value {
        let mut tx = self.store.begin();
        ready(SERVICES.get_item(&mut tx, "Items", "1", None)).expect("it is there to read").unwrap_or_default()
    }

    /// Calls on a copy: the same twice; nothing written after an error, and the key is kept.
    fn check(&self, action: &str, parameters: Value, before: &Value) {
        let (mut first, mut second) = (Table { store: self.store.clone() }, Table { store: self.store.clone() });
        let answer = call(&mut first.store, action, &parameters);
        assert_eq!(call(&mut second.store, action, &parameters), answer, "{action} {parameters}");
        let after = first.item();
        assert_eq!(second.item(), after, "{action} {parameters}");
        match answer {
            Ok(result) => reads_back(&result),
            Err(error) => {
                assert_eq!(&after, before, "{action} failed with {error:?} and wrote");
                return;
            }
        }
        match action {
            "updateItem" => assert_eq!(after["id"], before["id"], "the key stays"),
            "deleteItem" => assert!(after.is_null()),
            _ => assert_eq!(&after, before, "{action} only reads"),
        }
    }
}

fn call(store: &mut MemoryStore, action: &str, parameters: &Value) -> Result<Value, ServiceError> {
    let mut tx = store.begin();
    let call = ServiceCall {
        dialect: Dialect::AwsSdk,
        service: "dynamodb",
        action,
        parameters,
        now_ms: 1_767_225_600_000,
        request_id: "11111111-2222-4333-8444-555555555555",
        seed: 1,
    };
    let answer = ready(SERVICES.call(&mut tx, &call)).expect("memory does not fail");
    // Also after an error: nothing was written then.
    tx.commit();
    answer
}

/// What the expressions of a call may name.
struct Placeholders {
    values: [Map; 2],
    names: Map,
}

impl Placeholders {
    fn parameters(&self, action: &str, expressions: &[(&str, &str)]) -> Value {
        let mut out = Map::from_iter([("TableName", "Items")]);
        if matches!(action, "updateItem" | "deleteItem" | "getItem") {
            out.insert("Key", Map::from_iter([("id", Map::from_iter([("S", "1")]))]));
        }
        let mut text = String::new();
        for (name, expression) in expressions.iter().filter(|(name, text)| !name.is_empty() && !text.is_empty()) {
            out.insert(*name, *expression);
            text = text + " " + expression;
        }
        // One that no expression uses is an error, and so is an empty list of them.
        let used: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && !"_#:".contains(c)).collect();
        let pick = |maps: &[&Map]| -> Map {
            let members = maps.iter().flat_map(|map| map.iter());
            members.filter(|(key, _)| used.contains(&&***key)).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        // Of those with the same name the given one, the later, wins.
        let [given, fixed] = &self.values;
        let lists =
            [("ExpressionAttributeValues", pick(&[fixed, given])), ("ExpressionAttributeNames", pick(&[&self.names]))];
        for (field, map) in lists {
            if !map.is_empty() {
                out.insert(field, map);
            }
        }
        out.into()
    }
}

/// The store in memory never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the store in memory never waits"),
    }
}
