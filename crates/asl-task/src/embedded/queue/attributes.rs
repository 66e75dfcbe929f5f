//! Message attributes of queues and topics: how they are read, how large they are, and their checksum.

use crate::embedded::error::{Fault, refused};
use crate::embedded::ids::hex;
use crate::embedded::params::wrong_kind;
use asl_value::{Map, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

/// Reads `MessageAttributes`: `{NAME: {"DataType": "String" | "Number" | "Binary" [.custom], "StringValue" | "BinaryValue"}}`.
///
/// The result has the same form with exactly the value that counts. `code` is the error code of the service that asks.
pub(crate) fn read_attributes(given: Option<&Map>, code: &'static str) -> Result<Value, Fault> {
    let mut attributes = Map::new();
    for (name, value) in given.into_iter().flatten() {
        let bad = |what: &str| refused(code, format!("The message attribute '{name}' {what}"));
        check_name(name).map_err(|what| bad(&what))?;
        let value = value.as_object().ok_or_else(|| wrong_kind(name, "a JSON object"))?;
        let text = |key: &str| match value.get(key).filter(|value| !value.is_null()) {
            Some(value) => value.as_str().map(Some).ok_or_else(|| wrong_kind(key, "a STRING")),
            None => Ok(None),
        };
        let kind = text("DataType")?.filter(|kind| !kind.is_empty());
        let kind = kind.ok_or_else(|| bad("must contain non-empty message attribute type."))?;
        let base = kind.split('.').next().unwrap_or(kind);
        let (key, body) = match base {
            "Binary" => ("BinaryValue", text("BinaryValue")?),
            "String" | "Number" => ("StringValue", text("StringValue")?),
            _ => {
                return Err(bad(
                    "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
                ));
            }
        };
        let empty =
            || bad(&format!("must contain non-empty message attribute value for message attribute type '{base}'."));
        let body = body.filter(|body| !body.is_empty()).ok_or_else(empty)?;
        if base == "Number" && !body.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(refused(
                code,
                format!("Can't cast the value of message (user) attribute '{name}' to a number."),
            ));
        }
        if key == "BinaryValue" && BASE64.decode(body).is_err() {
            return Err(crate::embedded::error::unreadable(
                "The value of the field 'BinaryValue' has an invalid format",
            ));
        }
        attributes.insert(name.clone(), Value::from_iter([("DataType", kind), (key, body)]));
    }
    Ok(Value::from(attributes))
}

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > 256 || !name.chars().all(allowed) {
        return Err("is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
            .to_owned());
    }
    Ok(())
}

/// The attributes sorted by name, as (name, type, is binary, bytes).
fn sorted(attributes: &Value) -> Vec<(&str, &str, bool, Vec<u8>)> {
    let members = attributes.as_object().into_iter().flatten();
    let mut all: Vec<_> = members
        .map(|(name, value)| {
            let kind = value["DataType"].as_str().unwrap_or_default();
            let binary = value["BinaryValue"].as_str().and_then(|text| BASE64.decode(text).ok());
            let is_binary = binary.is_some();
            let text = || value["StringValue"].as_str().unwrap_or_default().as_bytes().to_vec();
            (&**name, kind, is_binary, binary.unwrap_or_else(text))
        })
        .collect();
    all.sort_by_key(|(name, ..)| *name);
    all
}

/// The bytes the attributes count for: names, types and values.
pub(crate) fn size_of_attributes(attributes: &Value) -> usize {
    sorted(attributes).iter().map(|(name, kind, _, value)| name.len() + kind.len() + value.len()).sum()
}

/// The MD5 that SQS gives for message attributes (SQS developer guide, "Calculating the MD5 message digest for message
/// attributes"); `None` when there are none.
pub(crate) fn md5_of_attributes(attributes: &Value) -> Option<String> {
    let all = sorted(attributes);
    if all.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    let framed = |md5: &mut Md5, bytes: &[u8]| {
        md5.update((bytes.len() as u32).to_be_bytes());
        md5.update(bytes);
    };
    for (name, kind, binary, value) in &all {
        framed(&mut md5, name.as_bytes());
        framed(&mut md5, kind.as_bytes());
        // The transport type stands between type and value, without a length.
        md5.update([if *binary { 2 } else { 1 }]);
        framed(&mut md5, value);
    }
    Some(hex(&md5.finalize()))
}
