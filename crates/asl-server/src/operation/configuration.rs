//! `loggingConfiguration`, `tracingConfiguration` and `encryptionConfiguration`: checked, kept, and given back as they came.
//! Terraform compares them member by member and never settles on anything else.

use super::Params;
use crate::wire::ApiError;
use asl::{Map, Value};

/// The three members, with what AWS fills in.
pub(crate) const NAMES: [&str; 3] = ["loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];

/// What a request says over what there is.
pub(crate) fn over(kept: &str, p: Params<'_>) -> Result<String, ApiError> {
    let mut all = read(kept);
    for name in NAMES {
        let Some(given) = p.object(name) else { continue };
        let value = match name {
            "loggingConfiguration" => logging(given)?,
            "tracingConfiguration" => filled(given, &[("enabled", Value::from(false))]),
            _ => encryption(given)?,
        };
        all.insert(name, value);
    }
    Ok(Value::from(all).to_string())
}

/// Puts them into a description.
pub(crate) fn put(out: &mut Map, kept: &str) {
    let all = read(kept);
    for name in NAMES {
        if let Some(value) = all.get(name) {
            out.insert(name, value.clone());
        }
    }
}

/// What was stored, and what AWS tells of what was not given.
fn read(kept: &str) -> Map {
    let mut all = kept.parse::<Value>().ok().and_then(|all| all.as_object().cloned()).unwrap_or_default();
    all.get_or_insert_with("loggingConfiguration", || {
        filled(&Map::new(), &[("level", "OFF".into()), ("includeExecutionData", false.into())]).into()
    });
    all.get_or_insert_with("tracingConfiguration", || Map::from_iter([("enabled", false)]).into());
    all.get_or_insert_with("encryptionConfiguration", || Map::from_iter([("type", "AWS_OWNED_KEY")]).into());
    all
}

/// What a request says, without nulls, and defaults for what it does not say.
fn filled(given: &Map, defaults: &[(&str, Value)]) -> Map {
    let mut out: Map = given.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    for (name, value) in defaults {
        out.get_or_insert_with(*name, || value.clone());
    }
    out
}

fn logging(given: &Map) -> Result<Map, ApiError> {
    let out = filled(given, &[("level", "OFF".into()), ("includeExecutionData", false.into())]);
    let refuse =
        |why: &str| Err(ApiError::new("InvalidLoggingConfiguration", format!("Invalid Logging Configuration: {why}")));
    let destinations = out.get("destinations").and_then(Value::as_array).unwrap_or_default();
    let is_off = out.get("level").and_then(Value::as_str) == Some("OFF");
    if destinations.len() > 1 || (!is_off && destinations.is_empty()) {
        return refuse("Must specify exactly one Log Destination.");
    }
    for destination in destinations {
        let group = destination.get("cloudWatchLogsLogGroup").and_then(|group| group.get("logGroupArn"));
        let arn = group.and_then(Value::as_str).unwrap_or_default();
        if !arn.contains(":log-group:") || !arn.ends_with(":*") {
            return refuse("Log Destination not found.");
        }
    }
    Ok(out)
}

fn encryption(given: &Map) -> Result<Map, ApiError> {
    let out = filled(given, &[]);
    let refuse = |why: &str| {
        Err(ApiError::new("InvalidEncryptionConfiguration", format!("Invalid Encryption Configuration: {why}")))
    };
    match (out.get("type").and_then(Value::as_str), out.contains_key("kmsKeyId")) {
        (Some("CUSTOMER_MANAGED_KMS_KEY"), false) => refuse("kmsKeyId is required for CUSTOMER_MANAGED_KMS_KEY."),
        (Some("AWS_OWNED_KEY"), true) => refuse("kmsKeyId must not be specified for AWS_OWNED_KEY."),
        _ => Ok(out),
    }
}

/// An activity's own.
pub(crate) fn of_activity(p: Params<'_>) -> Result<Option<String>, ApiError> {
    let given = p.object("encryptionConfiguration").map(encryption).transpose()?;
    Ok(given.map(|given| Value::from(given).to_string()))
}
