//! Laws of the value: what is written reads back, a write changes one place, order is mathematical.

use asl_value::{Map, Number, Step, Value, parse};
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        "[0-9]{20,40}".prop_map(|d| Value::Number(Number::parse(&format!("1{d}")).unwrap())),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..6).prop_map(|m| Value::from(m.into_iter().collect::<Map>())),
        ]
    })
}

/// Few different ones, so that two are often equal: `1`, `1.0`, `-0.0`, `18446744073709551617`.
fn numbers() -> impl Strategy<Value = Number> {
    "(-?[0-2](\\.[05])?(e0)?|1844674407370955161[67])".prop_map(|text| Number::parse(&text).unwrap())
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![3 => "[a-d]".prop_map(|key| Step::key(&key)), 1 => (0..3usize).prop_map(Step::Index)]
}

proptest! {
    #[test]
    fn text_reads_back(value in values()) {
        prop_assert_eq!(&parse(&value.to_string()).unwrap(), &value);
        prop_assert_eq!(&parse(&format!("{value:#}")).unwrap(), &value);
        prop_assert_eq!(parse(&value.to_string()).unwrap().to_string(), value.to_string());
    }

    #[test]
    fn a_text_is_written_or_compared_alike(value in values(), other in values(), cut in any::<usize>()) {
        let text = value.to_string();
        let mut out = String::from("before");
        value.write_to(&mut out);
        prop_assert_eq!(&out["before".len()..], &text);
        prop_assert!(value.has_text(&text));
        prop_assert_eq!(value.has_text(&other.to_string()), text == other.to_string());
        let cut = text.floor_char_boundary(cut % text.len());
        prop_assert!(!value.has_text(&text[..cut]));
        prop_assert!(!value.has_text(&(text + " ")));
    }

    /// Of two values that share nothing, and of two that differ in one place.
    #[test]
    fn the_same_text_is_seen_without_writing_it(value in values(), other in values(), step in steps()) {
        let read: Value = parse(&value.to_string()).unwrap();
        prop_assert!(value.same_text(&read) && read.same_text(&value));
        prop_assert_eq!(value.same_text(&other), value.to_string() == other.to_string());
        let mut changed = value.clone();
        if changed.set_path(&[step], other).is_ok() {
            prop_assert_eq!(value.same_text(&changed), value.to_string() == changed.to_string());
        }
    }

    #[test]
    fn numbers_are_the_same_text_only_if_written_alike(a in numbers(), b in numbers()) {
        let (a, b) = (Value::Number(a), Value::Number(b));
        prop_assert_eq!(a.same_text(&b), a.to_string() == b.to_string());
    }

    /// At every place of a text, also beyond the blocks in which it is looked through.
    #[test]
    fn every_byte_is_quoted_as_it_should_be(text in "[\\x00-\\x7fé\u{2028}]{0,70}") {
        let mut quoted = String::new();
        asl_value::quote_to(&text, &mut quoted);
        prop_assert_eq!(&quoted, &serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn measure_is_the_length_of_the_text(value in values()) {
        prop_assert_eq!(value.measure().bytes, value.to_string().len());
    }

    /// What is remembered of the size of an object or array keeps in step with writes, and a value that shared it keeps its
    /// own: it is always the size of the text, read anew.
    #[test]
    fn a_changed_value_measures_anew(
        members in prop::collection::vec(("[a-c]", values()), 0..4),
        items in prop::collection::vec(values(), 0..3),
        writes in prop::collection::vec((prop::collection::vec(steps(), 1..4), values()), 1..8),
    ) {
        let anew = |value: &Value| parse(&value.to_string()).unwrap().measure();
        let mut value = Value::from_iter(members);
        value.set_path(&[Step::key("d")], items.into()).unwrap();
        value.measure();
        for (steps, new) in writes {
            let shared = value.clone();
            let changed = value.set_path(&steps, new);
            prop_assert_eq!(value.measure(), anew(&value), "{:?}", changed);
            prop_assert_eq!(shared.measure(), anew(&shared));
        }
    }

    /// An object finds its members however many they are, and keeps their order.
    #[test]
    fn an_object_is_an_ordered_map(edits in prop::collection::vec((any::<bool>(), 0..40_u32, any::<i64>()), 0..120)) {
        let mut map = Map::new();
        let mut model: Vec<(String, i64)> = Vec::new();
        for (insert, key, value) in edits {
            let key = format!("k{key}");
            let at = model.iter().position(|(k, _)| *k == key);
            prop_assert_eq!(map.get(&key).and_then(Value::as_i64), at.map(|at| model[at].1));
            let (before, after) = match (insert, at) {
                (true, Some(at)) => (map.insert(key.as_str(), value), Some(std::mem::replace(&mut model[at].1, value))),
                (true, None) => {
                    model.push((key.clone(), value));
                    (map.insert(key.as_str(), value), None)
                }
                (false, at) => (map.remove(&key), at.map(|at| model.remove(at).1)),
            };
            prop_assert_eq!(before.as_ref().and_then(Value::as_i64), after);
            let members: Vec<(String, i64)> = map.iter().map(|(k, v)| (k.to_string(), v.as_i64().unwrap())).collect();
            prop_assert_eq!(&members, &model);
        }
    }

    #[test]
    fn parsing_never_panics(text in ".*") {
        let _ = parse(&text);
    }

    #[test]
    fn parsing_json_like_text_never_panics(text in r#"[\[\]{}",:\\ut0-9eE+\-. nalsr]{0,60}"#) {
        let _ = parse(&text);
    }

    #[test]
    fn a_write_leaves_every_sharer_alone(value in values(), keys in prop::collection::vec("[a-c]", 1..4), new in values()) {
        let steps: Vec<Step> = keys.iter().map(|k| Step::key(k)).collect();
        let before = value.to_string();
        let mut changed = value.clone();
        match changed.set_path(&steps, new.clone()) {
            Ok(()) => {
                let found = keys.iter().fold(&changed, |v, k| &v[k.as_str()]);
                prop_assert_eq!(found, &new);
            }
            Err(_) => prop_assert_eq!(changed.to_string(), before.clone()),
        }
        prop_assert_eq!(value.to_string(), before);
    }

    #[test]
    fn integers_and_doubles_compare_by_value(a in any::<i64>(), b in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
        let (x, y) = (Number::Int(a), Number::Float(b));
        prop_assert_eq!(x.compare(&y), y.compare(&x).reverse());
        if b.fract() == 0.0 && b.abs() < 9e15 {
            prop_assert_eq!(x.compare(&y), a.cmp(&(b as i64)));
        }
    }
}

#[test]
fn doubles_print_as_java_prints_them() {
    for (x, text) in [
        (1.0, "1.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-1.25e-10, "-1.25E-10"),
        (f64::MAX, "1.7976931348623157E308"),
        (-0.0, "-0.0"),
    ] {
        assert_eq!(Value::from(x).to_string(), text);
    }
}

#[test]
fn mistakes_have_places() {
    for (text, place) in [
        ("not a definition", (1, 1)),
        ("{\n  \"a\": }", (2, 8)),
        ("[1, 2", (1, 6)),
        ("{\"a\" 1}", (1, 6)),
        ("\"abc", (1, 1)),
        ("01", (1, 1)),
        ("[\"\t\"]", (1, 3)),
        ("{\"é\": nul}", (1, 7)),
        ("1 2", (1, 3)),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.line, error.column), place, "{text}: {error}");
    }
    let deep = "[".repeat(100_000);
    assert!(parse(&deep).unwrap_err().to_string().contains("nested deeper"));
}

#[test]
fn the_last_of_repeated_keys_wins() {
    assert_eq!(parse(r#"{"a":1,"b":2,"a":3}"#).unwrap().to_string(), r#"{"a":3,"b":2}"#);
}

/// `levels` arrays and objects around a 1, by turns.
fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::from(1), |inner, level| match level % 2 {
        0 => vec![Value::Null, inner].into(),
        _ => Value::from_iter([("a", inner)]),
    })
}

/// A program may nest values deeper than any text that is read. On a small stack all the same nothing runs out of it.
#[test]
fn no_depth_is_too_deep_to_drop_compare_measure_and_write() {
    const LEVELS: usize = 200_000;
    let work = || {
        let (deep, other) = (nested(LEVELS), nested(LEVELS));
        assert!(deep == other && deep.same_text(&other) && deep != nested(LEVELS - 1));
        assert_eq!(deep.measure().depth, 65_535);
        let text = deep.to_string();
        assert_eq!(deep.measure().bytes, text.len());
        assert!(deep.has_text(&text) && format!("{deep:?}") == text);
        assert!(serde_json::to_string(&deep).is_err());
        assert!(format!("{:#}", nested(2_000)).ends_with("\n]") || format!("{:#}", nested(2_000)).ends_with("\n}"));
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
}

/// The deepest text that is read, and values some levels deeper, on the stack of a thread of another program.
#[test]
fn what_is_read_takes_little_stack() {
    let work = || {
        let text = format!("{}{}", "[".repeat(asl_value::MAX_DEPTH), "]".repeat(asl_value::MAX_DEPTH));
        let mut deep = parse(&text).unwrap();
        assert_eq!(serde_json::to_string(&deep).unwrap(), text);
        deep = Value::from(vec![deep]);
        assert!(parse(&"[{\"a\":".repeat(100_000)).is_err());
        let steps: Vec<Step> = (0..512).map(|_| Step::key("k")).collect();
        let mut wrapped = Value::empty_object();
        wrapped.set_path(&steps, deep).unwrap();
        assert_eq!(wrapped.measure().depth, 2 * asl_value::MAX_DEPTH + 1);
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

/// Values share their parts, so a small one can have a text of any length: its measure is found all the same.
#[test]
fn the_measure_of_shared_parts_takes_no_longer_than_they_do() {
    let wide = (0..100).fold(Value::from("x"), |inner, _| vec![inner.clone(), inner].into());
    assert_eq!(wide.measure().depth, 100);
    assert_eq!(wide.measure().bytes, (1 << 48) - 1);
}
