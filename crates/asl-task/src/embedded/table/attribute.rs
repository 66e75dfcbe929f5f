//! Attribute values: DynamoDB's ten types, read from and written to their JSON form.

use super::number::Decimal;
use crate::embedded::Dialect;
use crate::embedded::error::{Fault, invalid, unreadable};
use crate::embedded::params::wrong_kind;
use asl_value::{Map, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How deep lists and maps nest at most.
const MAX_NESTING: usize = 32;

/// The attributes of an item or a map. DynamoDB keeps no order; here they are in the order of their names.
pub(crate) type Attributes = BTreeMap<Arc<str>, Attribute>;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attribute {
    S(Arc<str>),
    N(Decimal),
    B(Vec<u8>),
    Bool(bool),
    Null,
    Ss(BTreeSet<Arc<str>>),
    Ns(BTreeSet<Decimal>),
    Bs(BTreeSet<Vec<u8>>),
    L(Vec<Attribute>),
    M(Attributes),
}

/// The type names in the documentation's JSON and, where it differs, in the Java SDK 2's, which `aws-sdk` tasks show.
const SDK_NAMES: [(&str, &str); 5] = [("BOOL", "Bool"), ("NULL", "Nul"), ("SS", "Ss"), ("NS", "Ns"), ("BS", "Bs")];

impl Attribute {
    /// The type's name as DynamoDB writes it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Attribute::S(_) => "S",
            Attribute::N(_) => "N",
            Attribute::B(_) => "B",
            Attribute::Bool(_) => "BOOL",
            Attribute::Null => "NULL",
            Attribute::Ss(_) => "SS",
            Attribute::Ns(_) => "NS",
            Attribute::Bs(_) => "BS",
            Attribute::L(_) => "L",
            Attribute::M(_) => "M",
        }
    }

    /// Reads `{"S": "text"}` and its like; a text alone is of type `S`, as Step Functions takes it.
    pub(crate) fn read(value: &Value) -> Result<Attribute, Fault> {
        read_nested(value, 0)
    }

    /// The JSON form.
    pub(crate) fn write(&self, dialect: Dialect) -> Value {
        let texts = |items: &mut dyn Iterator<Item = String>| items.map(Value::from).collect::<Value>();
        let body = match self {
            Attribute::S(text) => Value::from(text),
            Attribute::N(number) => Value::from(number.to_string()),
            Attribute::B(bytes) => Value::from(BASE64.encode(bytes)),
            Attribute::Bool(b) => Value::from(*b),
            Attribute::Null => Value::from(true),
            Attribute::Ss(set) => set.iter().map(Value::from).collect(),
            Attribute::Ns(set) => texts(&mut set.iter().map(Decimal::to_string)),
            Attribute::Bs(set) => texts(&mut set.iter().map(|bytes| BASE64.encode(bytes))),
            Attribute::L(items) => items.iter().map(|item| item.write(dialect)).collect(),
            Attribute::M(members) => write_all(members, dialect),
        };
        let name = self.type_name();
        let sdk = SDK_NAMES.iter().find(|(plain, _)| dialect == Dialect::AwsSdk && *plain == name);
        Value::from_iter([(sdk.map_or(name, |(_, sdk)| sdk), body)])
    }

    /// The bytes it counts for in the size of an item.
    pub(crate) fn size(&self) -> usize {
        match self {
            Attribute::S(text) => text.len(),
            Attribute::N(number) => number.size(),
            Attribute::B(bytes) => bytes.len(),
            Attribute::Bool(_) | Attribute::Null => 1,
            Attribute::Ss(set) => set.iter().map(|text| text.len()).sum(),
            Attribute::Ns(set) => set.iter().map(|number| number.size()).sum(),
            Attribute::Bs(set) => set.iter().map(Vec::len).sum(),
            Attribute::L(items) => 3 + items.iter().map(|item| 1 + item.size()).sum::<usize>(),
            Attribute::M(members) => 3 + members.len() + size_all(members),
        }
    }
}

/// Reads the attributes of an item, a key, or a map.
pub(crate) fn read_all(map: &Map) -> Result<Attributes, Fault> {
    read_members(map, 0)
}

/// The JSON form of an item.
pub(crate) fn write_all(attributes: &Attributes, dialect: Dialect) -> Value {
    attributes.iter().map(|(name, value)| (name.clone(), value.write(dialect))).collect()
}

/// The size of an item in bytes: names and values.
pub(crate) fn size_all(attributes: &Attributes) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.size()).sum()
}

fn read_members(map: &Map, depth: usize) -> Result<Attributes, Fault> {
    map.iter().map(|(name, value)| Ok((name.clone(), read_nested(value, depth)?))).collect()
}

fn read_nested(value: &Value, depth: usize) -> Result<Attribute, Fault> {
    if depth >= MAX_NESTING {
        return Err(invalid("Nesting Levels have exceeded supported limits"));
    }
    // Step Functions binds a text to the type S wherever an attribute value stands.
    if let Value::String(text) = value {
        return Ok(Attribute::S(text.clone()));
    }
    let map = value.as_object().ok_or_else(|| wrong_kind("AttributeValue", "a JSON object"))?;
    let mut set = map.iter().filter(|(_, value)| !value.is_null());
    let Some((name, body)) = set.next() else {
        return Err(invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"));
    };
    if set.next().is_some() {
        return Err(invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ));
    }
    let plain = SDK_NAMES.iter().find(|(_, sdk)| *sdk == &**name).map_or(&**name, |(plain, _)| plain);
    match plain {
        "S" => Ok(Attribute::S(text(name, body)?.into())),
        "N" => Ok(Attribute::N(number(text(name, body)?)?)),
        "B" => Ok(Attribute::B(bytes(name, body)?)),
        "BOOL" => Ok(Attribute::Bool(boolean(name, body)?)),
        "NULL" => match boolean(name, body)? {
            true => Ok(Attribute::Null),
            false => Err(wrong("Null attribute value types must have the value of true")),
        },
        "SS" => read_strings(list(name, body)?),
        "NS" => read_numbers(list(name, body)?),
        "BS" => read_binaries(list(name, body)?),
        "L" => {
            let items = list(name, body)?.iter().map(|item| read_nested(item, depth + 1));
            Ok(Attribute::L(items.collect::<Result<_, _>>()?))
        }
        "M" => {
            let members = body.as_object().ok_or_else(|| wrong_kind(name, "a JSON object"))?;
            Ok(Attribute::M(read_members(members, depth + 1)?))
        }
        _ => Err(unreadable(format!("The field '{name}' is not supported by Step Functions"))),
    }
}

fn wrong(what: &str) -> Fault {
    invalid(format!("One or more parameter values were invalid: {what}"))
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, Fault> {
    value.as_str().ok_or_else(|| wrong_kind(name, "a STRING"))
}

/// A boolean, or its text: Step Functions reads `"false"` as false.
fn boolean(name: &str, value: &Value) -> Result<bool, Fault> {
    let read = match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match &**text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        },
        _ => None,
    };
    read.ok_or_else(|| wrong_kind(name, "a BOOLEAN"))
}

fn list<'a>(name: &str, value: &'a Value) -> Result<&'a [Value], Fault> {
    value.as_array().ok_or_else(|| wrong_kind(name, "an ARRAY"))
}

fn number(text: &str) -> Result<Decimal, Fault> {
    Decimal::parse(text).map_err(|error| invalid(error.to_string()))
}

fn bytes(name: &str, value: &Value) -> Result<Vec<u8>, Fault> {
    let bad = |_| unreadable(format!("The value of the field '{name}' has an invalid format"));
    BASE64.decode(text(name, value)?).map_err(bad)
}

fn read_strings(items: &[Value]) -> Result<Attribute, Fault> {
    if items.is_empty() {
        return Err(wrong("An string set  may not be empty"));
    }
    let set =
        items.iter().map(|item| Ok(Arc::from(text("SS", item)?))).collect::<Result<BTreeSet<Arc<str>>, Fault>>()?;
    if set.len() != items.len() {
        return Err(wrong(&format!("Input collection {} contains duplicates.", joined(items))));
    }
    Ok(Attribute::Ss(set))
}

fn read_numbers(items: &[Value]) -> Result<Attribute, Fault> {
    if items.is_empty() {
        return Err(wrong("An number set  may not be empty"));
    }
    let set = items.iter().map(|item| number(text("NS", item)?)).collect::<Result<BTreeSet<_>, _>>()?;
    if set.len() != items.len() {
        return Err(invalid("Input collection contains duplicates"));
    }
    Ok(Attribute::Ns(set))
}

fn read_binaries(items: &[Value]) -> Result<Attribute, Fault> {
    if items.is_empty() {
        return Err(wrong("Binary sets should not be empty"));
    }
    let set = items.iter().map(|item| bytes("BS", item)).collect::<Result<BTreeSet<_>, _>>()?;
    if set.len() != items.len() {
        return Err(wrong(&format!("Input collection {}of type BS contains duplicates.", joined(items))));
    }
    Ok(Attribute::Bs(set))
}

fn joined(items: &[Value]) -> String {
    let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
    format!("[{}]", texts.join(", "))
}
