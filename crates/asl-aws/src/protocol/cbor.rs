//! Shapes as CBOR (RFC 8949), as the protocol rpc-v2-cbor has it.

use super::Broken;
use crate::blob;
use crate::model::{Service, Shape, Type};
use crate::time::Timestamp;
use asl_value::{Map, Number, Value};

/// Arrays, maps and tags may be nested so deep.
const MAX_DEPTH: usize = 128;

/// A checked value as CBOR.
pub(super) fn encode(service: &Service, ty: Type, value: &Value, out: &mut Vec<u8>) {
    match (service.shape(ty), value) {
        (Some(Shape::Structure(structure)), Value::Object(given)) => {
            let members: Vec<_> = given.iter().filter_map(|(k, v)| Some((structure.by_key(k)?, v))).collect();
            head(5, members.len() as u64, out);
            for (member, value) in members {
                text(&member.wire, out);
                encode(service, member.ty, value, out);
            }
        }
        (Some(Shape::List { item, .. }), Value::Array(items)) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|i| encode(service, *item, i, out));
        }
        (Some(Shape::Map { value: of, .. }), Value::Object(entries)) => {
            head(5, entries.len() as u64, out);
            for (key, value) in entries.iter() {
                text(key, out);
                encode(service, *of, value, out);
            }
        }
        (Some(_), _) => out.push(0xf6),
        (None, _) => scalar(ty, value, out),
    }
}

fn scalar(ty: Type, value: &Value, out: &mut Vec<u8>) {
    match (ty, value) {
        (Type::Blob | Type::Streaming, _) => {
            let bytes = blob::of_value(value);
            head(2, bytes.len() as u64, out);
            out.extend(bytes);
        }
        (Type::Timestamp(_), _) => match Timestamp::of(value) {
            Some(at) => {
                head(6, 1, out);
                number(&at.number(), out);
            }
            None => out.push(0xf6),
        },
        (Type::Float | Type::Double, _) => {
            let float = match value {
                Value::String(text) => text.parse().unwrap_or(f64::NAN),
                other => other.as_f64().unwrap_or(f64::NAN),
            };
            self::float(float, ty == Type::Float, out);
        }
        (_, Value::Bool(b)) => out.push(if *b { 0xf5 } else { 0xf4 }),
        (_, Value::String(s)) => text(s, out),
        (_, Value::Number(_)) => number(value, out),
        (_, Value::Array(items)) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|i| scalar(ty, i, out));
        }
        (_, Value::Object(entries)) => {
            head(5, entries.len() as u64, out);
            for (key, value) in entries.iter() {
                text(key, out);
                scalar(ty, value, out);
            }
        }
        (_, Value::Null) => out.push(0xf6),
    }
}

fn number(value: &Value, out: &mut Vec<u8>) {
    match value.as_i64() {
        Some(n) if n >= 0 => head(0, n as u64, out),
        Some(n) => head(1, !n as u64, out),
        None => float(value.as_f64().unwrap_or(f64::NAN), false, out),
    }
}

fn float(float: f64, single: bool, out: &mut Vec<u8>) {
    if float.is_nan() {
        out.extend([0xf9, 0x7e, 0x00]);
    } else if float.is_infinite() {
        out.extend([0xf9, if float > 0.0 { 0x7c } else { 0xfc }, 0x00]);
    } else if single {
        out.push(0xfa);
        out.extend((float as f32).to_be_bytes());
    } else {
        out.push(0xfb);
        out.extend(float.to_be_bytes());
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    head(3, text.len() as u64, out);
    out.extend(text.as_bytes());
}

fn head(major: u8, length: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match length {
        0..24 => out.push(major | length as u8),
        24..0x100 => out.extend([major | 24, length as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((length as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((length as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(length.to_be_bytes());
        }
    }
}

/// A data item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// null, undefined
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer, or a number with a fraction.
    Number(Value),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Item>),
    /// A map; keys that are no text are left out.
    Map(Vec<(String, Item)>),
    /// Seconds since 1970.
    Time(f64),
}

struct Reader<'a>(&'a [u8]);

/// Reads one data item.
///
/// # Errors
/// What is no CBOR, has a tag other than that of times, or is nested deeper than 128 levels. A length is not believed
/// before the bytes are there.
pub fn read(bytes: &[u8]) -> Result<Item, Broken> {
    Reader(bytes).item(0)?.ok_or_else(|| Broken::new("the CBOR breaks off"))
}

fn ends() -> Broken {
    Broken::new("the CBOR breaks off")
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(length).ok().filter(|l| *l <= self.0.len()).ok_or_else(ends)?;
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(taken)
    }

    /// The next item; `None` for the end of a list whose length was not given.
    fn item(&mut self, depth: usize) -> Result<Option<Item>, Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken::new("the CBOR is nested too deep"));
        }
        let first = self.take(1)?[0];
        let (major, low) = (first >> 5, first & 31);
        if first == 0xff {
            return Ok(None);
        }
        if major == 7 {
            return self.simple(low).map(Some);
        }
        let length = if low == 31 { None } else { Some(self.length(low)?) };
        Ok(Some(match (major, length) {
            (0, Some(n)) => Item::Number(Value::from(n)),
            (1, Some(n)) => Item::Number(negative(n)),
            (2, _) => Item::Bytes(self.string(2, length)?),
            (3, _) => Item::Text(
                String::from_utf8(self.string(3, length)?)
                    .map_err(|_| Broken::new("a text of the CBOR is not UTF-8"))?,
            ),
            (4, _) => Item::Array(self.array(length, depth)?),
            (5, _) => Item::Map(self.map(length, depth)?),
            (6, Some(1)) => match self.item(depth + 1)? {
                Some(Item::Number(n)) => Item::Time(n.as_f64().unwrap_or(f64::NAN)),
                _ => return Err(Broken::new("a time of the CBOR is no number")),
            },
            _ => return Err(Broken::new(format!("the CBOR has an item that is not known: {first:#04x}"))),
        }))
    }

    fn length(&mut self, low: u8) -> Result<u64, Broken> {
        let bytes = match low {
            0..24 => return Ok(u64::from(low)),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(Broken::new("the CBOR has a length that is not known")),
        };
        Ok(self.take(bytes)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn string(&mut self, major: u8, length: Option<u64>) -> Result<Vec<u8>, Broken> {
        if let Some(length) = length {
            return Ok(self.take(length)?.to_vec());
        }
        let mut whole = vec![];
        loop {
            let first = self.take(1)?[0];
            if first == 0xff {
                return Ok(whole);
            }
            if first >> 5 != major {
                return Err(Broken::new("a part of the CBOR is of another kind than its whole"));
            }
            let length = self.length(first & 31)?;
            whole.extend(self.take(length)?);
        }
    }

    fn array(&mut self, length: Option<u64>, depth: usize) -> Result<Vec<Item>, Broken> {
        let mut items = vec![];
        while length.is_none_or(|l| (items.len() as u64) < l) {
            match (self.item(depth + 1)?, length) {
                (Some(item), _) => items.push(item),
                (None, None) => break,
                (None, Some(_)) => return Err(ends()),
            }
        }
        Ok(items)
    }

    fn map(&mut self, length: Option<u64>, depth: usize) -> Result<Vec<(String, Item)>, Broken> {
        let (mut entries, mut count) = (vec![], 0);
        while length.is_none_or(|l| count < l) {
            let Some(key) = self.item(depth + 1)? else { if length.is_none() { break } else { return Err(ends()) } };
            let value = self.item(depth + 1)?.ok_or_else(ends)?;
            if let Item::Text(key) = key {
                entries.push((key, value));
            }
            count += 1;
        }
        Ok(entries)
    }

    fn simple(&mut self, low: u8) -> Result<Item, Broken> {
        let float = match low {
            20 => return Ok(Item::Bool(false)),
            21 => return Ok(Item::Bool(true)),
            22 | 23 => return Ok(Item::Null),
            25 => half(self.length(25)? as u16),
            26 => f64::from(f32::from_bits(self.length(26)? as u32)),
            27 => f64::from_bits(self.length(27)?),
            _ => return Err(Broken::new("the CBOR has a simple value that is not known")),
        };
        Ok(Item::Number(Number::from_f64(float).map_or_else(|| Value::from(special(float)), Value::from)))
    }
}

fn special(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn negative(n: u64) -> Value {
    match i64::try_from(n) {
        Ok(n) => Value::from(!n),
        Err(_) => Value::from(-1.0 - n as f64),
    }
}

fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

/// What an item holds, in the names and forms of results.
pub(super) fn decode(service: &Service, ty: Type, item: &Item) -> Result<Value, Broken> {
    Ok(match (service.shape(ty), item) {
        (Some(Shape::Structure(structure)), Item::Map(entries)) => {
            let mut made = Map::new();
            for member in &structure.members {
                let found = entries.iter().find(|(k, _)| **k == *member.wire);
                if let Some((_, value)) = found.filter(|(_, v)| *v != Item::Null) {
                    made.insert(member.key.clone(), decode(service, member.ty, value)?);
                }
            }
            Value::from(made)
        }
        (Some(Shape::List { item: of, .. }), Item::Array(items)) => {
            items.iter().map(|i| decode(service, *of, i)).collect::<Result<_, _>>()?
        }
        (Some(Shape::Map { value, .. }), Item::Map(entries)) => {
            let mut made = Map::new();
            for (key, item) in entries {
                made.insert(key.as_str(), decode(service, *value, item)?);
            }
            Value::from(made)
        }
        (_, Item::Null) => Value::Null,
        (Some(_), _) => return Err(Broken::new("the CBOR has another shape than the model")),
        (None, _) => plain(ty, item)?,
    })
}

fn plain(ty: Type, item: &Item) -> Result<Value, Broken> {
    let time = |seconds: f64| match Timestamp::from_seconds(seconds) {
        Some(at) => Ok(Value::from(at.to_string())),
        None => Err(Broken::new("the CBOR has a time that is none")),
    };
    Ok(match item {
        Item::Null => Value::Null,
        Item::Bool(b) => Value::from(*b),
        Item::Number(n) if matches!(ty, Type::Timestamp(_)) => time(n.as_f64().unwrap_or(f64::NAN))?,
        Item::Number(n) => n.clone(),
        Item::Bytes(bytes) => blob::to_value(bytes),
        Item::Text(text) => Value::from(text),
        Item::Time(seconds) => time(*seconds)?,
        Item::Array(items) => items.iter().map(|i| plain(ty, i)).collect::<Result<_, _>>()?,
        Item::Map(entries) => {
            let mut made = Map::new();
            for (key, item) in entries {
                made.insert(key.as_str(), plain(ty, item)?);
            }
            Value::from(made)
        }
    })
}

impl Item {
    /// The text under a key of a map.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        let Item::Map(entries) = self else { return None };
        let found = entries.iter().find(|(k, _)| k == key);
        if let Some((_, Item::Text(text))) = found { Some(text) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 8949, appendix A.
        let cases: [(&[u8], Item); 7] = [
            (&[0x18, 0x64], Item::Number(100.into())),
            (&[0x39, 0x03, 0xe7], Item::Number((-1000).into())),
            (&[0xf9, 0x3c, 0x00], Item::Number(1.0.into())),
            (&[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], Item::Number(1.1.into())),
            (&[0x5f, 0x42, 1, 2, 0x43, 3, 4, 5, 0xff], Item::Bytes(vec![1, 2, 3, 4, 5])),
            (&[0x9f, 0x01, 0xff], Item::Array(vec![Item::Number(1.into())])),
            (&[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0], Item::Time(1_363_896_240.0)),
        ];
        for (bytes, item) in cases {
            assert_eq!(read(bytes).unwrap(), item);
        }
    }

    #[test]
    fn lengths_and_depths_that_are_not_there_are_refused() {
        assert!(read(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read(&[0x81; 5000]).is_err());
        assert!(read(&[]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }
    }
}
