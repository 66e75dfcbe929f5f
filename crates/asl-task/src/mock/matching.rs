//! Partial matches: a value holds at least what another one says.

use asl_value::Value;

/// Whether `value` holds at least what `part` says: an object has the part's members, each holding its part; an array has as
/// many elements, each holding its part; anything else is
/// equal (1 and 1.0 are).
///
/// ```
/// use asl_task::mock::contains;
///
/// let value = r#"{"id": 7, "lines": [{"sku": "a", "qty": 2}]}"#.parse()?;
/// assert!(contains(&value, &r#"{"lines": [{"qty": 2.0}]}"#.parse()?));
/// assert!(!contains(&value, &r#"{"lines": []}"#.parse()?));
/// # Ok::<(), asl_value::ParseError>(())
/// ```
pub fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            part.iter().all(|(key, part)| value.get(key).is_some_and(|value| contains(value, part)))
        }
        (Value::Array(value), Value::Array(part)) => {
            value.len() == part.len() && value.iter().zip(part.iter()).all(|(value, part)| contains(value, part))
        }
        _ => value == part,
    }
}
