//! Laws of the expression language; the tables of answers are in `tests/cases`.

use super::condition::Condition;
use super::parse::Placeholders;
use super::projection::Projection;
use super::update::Update;
use crate::embedded::params::{Params, Shape};
use crate::embedded::table::attribute::{Attributes, read_all};
use asl_value::Value;
use proptest::prelude::*;

const SHAPE: Shape = Shape { known: &["E", "ExpressionAttributeNames", "ExpressionAttributeValues"], refused: &[] };

fn placeholders() -> Placeholders {
    let parameters: Value = r##"{"E": "x", "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": {"N": "1"}, ":s": {"S": "x"}, ":ss": {"SS": ["x"]}, ":l": {"L": []}}}"##
        .parse()
        .unwrap();
    Placeholders::read(&Params::new(&parameters, crate::embedded::Dialect::Optimized, &SHAPE).unwrap(), &["E"]).unwrap()
}

fn item() -> Attributes {
    let item: Value =
        r#"{"a": {"M": {"b": {"L": [{"N": "1"}, {"S": "x"}, {"SS": ["x", "y"]}]}}}, "n": {"N": "5"}}"#.parse().unwrap();
    read_all(item.as_object().unwrap()).unwrap()
}

/// Expressions that are often nearly right.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "a",
        "a.b",
        "a.b[0]",
        "n",
        "#n",
        "#x",
        ":n",
        ":s",
        ":ss",
        ":l",
        "=",
        "<>",
        "<",
        "(",
        ")",
        ",",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "+",
        "-",
        "size(a)",
        "contains(a.b, :s)",
        "if_not_exists(a, :n)",
        "list_append(a.b, :l)",
        "attribute_exists(n)",
        "status",
        "[",
        "]",
        ".",
        "é",
        "\"",
        "1",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..14).prop_map(|parts| parts.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_expression_is_answered(text in prop_oneof![pieces(), ".{0,80}", "[(NOT )]{0,400}"]) {
        if let Ok(condition) = Condition::parse("ConditionExpression", &text, &mut placeholders()) {
            condition.holds(&item());
        }
        if let Ok(projection) = Projection::parse(&text, &mut placeholders()) {
            let once = projection.apply(&item());
            prop_assert!(once.len() <= item().len());
        }
        if let Ok(update) = Update::parse(&text, &mut placeholders()) {
            let before = item();
            let mut after = item();
            if update.apply(&mut after).is_err() {
                prop_assert_eq!(before, after, "a failed update changes nothing");
            }
        }
    }

    #[test]
    fn a_set_of_values_twice_is_the_same_as_once(path in prop::sample::select(vec!["n", "c", "a.c", "a.b[0]", "a.b[2]"]),
                                                 value in prop::sample::select(vec![":n", ":s", ":ss", ":l"])) {
        let update = Update::parse(&format!("SET {path} = {value}"), &mut placeholders()).unwrap();
        let mut once = item();
        update.apply(&mut once).unwrap();
        let mut twice = once.clone();
        update.apply(&mut twice).unwrap();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn not_turns_every_condition_around(text in pieces()) {
        let parse = |text: &str| Condition::parse("ConditionExpression", text, &mut placeholders());
        if let (Ok(plain), Ok(turned)) = (parse(&text), parse(&format!("NOT ({text})"))) {
            prop_assert_eq!(plain.holds(&item()), !turned.holds(&item()), "{}", text);
        }
    }
}
