//! The HTTP metadata that AWS's SDK leaves in the results of optimized integrations (recorded answers show which headers).

use asl_value::{Map, Value};

/// `SdkHttpMetadata` with headers in the order given for `AllHttpHeaders`, and sorted as AWS sorts them in `HttpHeaders`.
pub(crate) fn http_metadata(headers: &[(&str, String)], status: i64) -> Value {
    let all = headers.iter().map(|(name, value)| (*name, Value::from(vec![Value::from(value)])));
    let mut sorted: Vec<&(&str, String)> = headers.iter().collect();
    sorted.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    let plain = sorted.iter().map(|(name, value)| (*name, Value::from(value)));
    Value::from(Map::from_iter([
        ("AllHttpHeaders", Value::from_iter(all)),
        ("HttpHeaders", Value::from_iter(plain)),
        ("HttpStatusCode", Value::from(status)),
    ]))
}
