//! The primary key: which attributes it is, checks of AWS, and its encoded form.

use super::attribute::{Attribute, Attributes};
use crate::embedded::error::{Fault, invalid};
use crate::embedded::ids::hex;
use crate::embedded::spec::KeyAttribute;
use asl_store::ItemKey;
use std::sync::Arc;

/// The largest hash key and range key, in bytes.
const MAX_HASH_SIZE: usize = 2048;
const MAX_RANGE_SIZE: usize = 1024;

/// The key schema of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(super) hash: KeyAttribute,
    pub(super) range: Option<KeyAttribute>,
}

impl Schema {
    /// The key attributes: the hash key, then the range key.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    /// Whether an attribute is part of the key.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.attributes().any(|key| key.name == name)
    }

    /// The encoded key of a whole item.
    pub(super) fn key_of_item(&self, item: &Attributes) -> Result<ItemKey, Fault> {
        let wrong = |what: String| invalid(format!("One or more parameter values were invalid: {what}"));
        for key in self.attributes() {
            let name = &key.name;
            let value = item.get(&**name).ok_or_else(|| wrong(format!("Missing the key {name} in the item")))?;
            let (wanted, given) = (key.kind.name(), value.type_name());
            if wanted != given {
                return Err(wrong(format!("Type mismatch for key {name} expected: {wanted} actual: {given}")));
            }
            check_not_empty(name, value, "are not valid. ")?;
        }
        self.encode(item)
    }

    /// The encoded key of a `Key` parameter, which has the key attributes and nothing else.
    pub(super) fn key(&self, key: &Attributes) -> Result<ItemKey, Fault> {
        let mismatch = || invalid("The provided key element does not match the schema");
        if key.len() != self.attributes().count() {
            return Err(mismatch());
        }
        for attribute in self.attributes() {
            let value = key.get(&*attribute.name).ok_or_else(mismatch)?;
            if value.type_name() != attribute.kind.name() {
                return Err(mismatch());
            }
            check_not_empty(&attribute.name, value, "were invalid: ")?;
        }
        self.encode(key)
    }

    fn encode(&self, item: &Attributes) -> Result<ItemKey, Fault> {
        let part = |key: &KeyAttribute, max: usize, too_large: &str| {
            let value =
                item.get(&*key.name).ok_or_else(|| invalid("The provided key element does not match the schema"))?;
            if value.size() > max {
                return Err(invalid(format!("One or more parameter values were invalid: {too_large}")));
            }
            Ok(encode(value))
        };
        let hash = "Size of hashkey has exceeded the maximum size limit of2048 bytes";
        let range = "Aggregated size of all range keys has exceeded the size limit of 1024 bytes";
        Ok(ItemKey {
            hash: part(&self.hash, MAX_HASH_SIZE, hash)?,
            range: match &self.range {
                Some(key) => part(key, MAX_RANGE_SIZE, range)?,
                None => String::new(),
            },
        })
    }

    /// The key attributes of an item.
    pub(super) fn pick(&self, item: &Attributes) -> Attributes {
        let pair = |key: &KeyAttribute| Some((Arc::from(&*key.name), item.get(&*key.name)?.clone()));
        self.attributes().filter_map(pair).collect()
    }

    /// A key of plain texts, as on a command line: a number or text as it is, bytes in base64.
    pub(crate) fn key_of_texts(&self, hash: &str, range: Option<&str>) -> Result<ItemKey, Fault> {
        let value = |key: &KeyAttribute, text: &str| {
            let value = asl_value::Value::from_iter([(key.kind.name(), text)]);
            Ok::<_, Fault>((Arc::from(&*key.name), Attribute::read(&value)?))
        };
        let mut key = Attributes::from_iter([value(&self.hash, hash)?]);
        match (&self.range, range) {
            (Some(attribute), Some(text)) => key.extend([value(attribute, text)?]),
            (None, None) => {}
            (Some(attribute), None) => return Err(invalid(format!("The key needs a value for {}", attribute.name))),
            (None, Some(_)) => return Err(invalid("The table has no range key")),
        }
        self.key(&key)
    }
}

/// Keys cannot be empty. AWS words it in two ways.
fn check_not_empty(name: &str, value: &Attribute, wording: &str) -> Result<(), Fault> {
    let kind = match value {
        Attribute::S(text) if text.is_empty() => "string",
        Attribute::B(bytes) if bytes.is_empty() => "binary",
        _ => return Ok(()),
    };
    Err(invalid(format!(
        "One or more parameter values {wording}The AttributeValue for a key attribute cannot contain an empty {kind} value. Key: {name}"
    )))
}

/// The encoded form of a key value; see [`ItemKey`].
pub(super) fn encode(value: &Attribute) -> String {
    match value {
        Attribute::N(number) => number.sortable(),
        Attribute::B(bytes) => hex(bytes),
        Attribute::S(text) if text.contains(['\0', '\u{1}']) => {
            text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}")
        }
        Attribute::S(text) => text.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encoded_texts_keep_their_order(a in "[\\x00-\\x03aé]{0,6}", b in "[\\x00-\\x03aé]{0,6}") {
            let text = |s: &str| encode(&Attribute::S(s.into()));
            prop_assert_eq!(a.cmp(&b), text(&a).cmp(&text(&b)));
            prop_assert!(!text(&a).contains('\0'));
        }
    }
}
