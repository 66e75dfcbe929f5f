//! Reads one service of the table: the inverse of `tools/aws_model.py`.
//!
//! A block is two streams: the texts, each once, in the order of their first use; and the numbers, of seven bits a byte.
//! A text is 0 (the next one) or the number of an earlier one and 1. A shape stands where it is first referred to.

use super::names::member_name;
use super::table::SCALARS;
use super::{EndpointRule, ErrorShape, Location, Member, Operation, Protocol, Service, Shape, Structure, Traits, Type};
use std::collections::HashMap;
use std::sync::Arc;

/// In a reference: a shape that follows. Greater numbers are shapes that were there already.
const NEW: usize = SCALARS.len();
const METHODS: [&str; 6] = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD"];
/// In the order of the tool's bits, which is the order of preference.
const PROTOCOLS: [Protocol; 6] =
    [Protocol::Json, Protocol::RestJson, Protocol::RestXml, Protocol::Query, Protocol::Ec2, Protocol::Cbor];

struct Reader<'a> {
    numbers: std::slice::Iter<'a, u8>,
    texts: std::str::Split<'a, char>,
    known: Vec<Arc<str>>,
    /// The keys of members, shared with their names where they are alike.
    keys: HashMap<Arc<str>, Arc<str>>,
    shapes: Vec<Option<Shape>>,
}

/// Reads a block of the table.
///
/// # Panics
/// When the block is not one of the tool's; a test reads all of them.
pub(super) fn read_service(resource: &str, command: &str, block: &[u8]) -> Service {
    let (length, rest) = block.split_at(4);
    let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
    let texts = std::str::from_utf8(&rest[..length]).expect("texts");
    let mut reader = Reader {
        numbers: rest[length..].iter(),
        texts: texts.split('\n'),
        known: vec![],
        keys: HashMap::new(),
        shapes: vec![],
    };
    let service = reader.service(resource, command);
    assert!(reader.numbers.next().is_none(), "the block of {resource} has more than a service");
    service
}

impl Reader<'_> {
    fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = *self.numbers.next().expect("a number");
            number |= usize::from(byte & 127) << shift;
            if byte < 128 {
                return number;
            }
            shift += 7;
        }
    }

    fn text(&mut self) -> Arc<str> {
        match self.number() {
            0 => {
                let text: Arc<str> = self.texts.next().expect("a text").into();
                self.known.push(text.clone());
                text
            }
            known => self.known[known - 1].clone(),
        }
    }

    fn text_if(&mut self, there: bool) -> Option<Arc<str>> {
        there.then(|| self.text())
    }

    fn many<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.number()).map(|_| read(self)).collect()
    }

    fn service(&mut self, resource: &str, command: &str) -> Service {
        let (id, prefix, endpoint_prefix, signing_name) = (self.text(), self.text(), self.text(), self.text());
        let bits = self.number();
        let protocols = (0..PROTOCOLS.len()).filter(|bit| bits >> bit & 1 == 1).map(|bit| PROTOCOLS[bit]).collect();
        let (json_version, target_prefix, api_version, xml_namespace) =
            (self.text(), self.text(), self.text(), self.text());
        let flags = self.number();
        let endpoints = self.many(|r| EndpointRule {
            scope: r.text(),
            host: r.text(),
            signing_name: r.text(),
            signing_region: r.text(),
        });
        let errors = self.many(Reader::error);
        let operations = self.many(Reader::operation);
        Service {
            resource: resource.into(),
            command: command.into(),
            id,
            prefix,
            endpoint_prefix,
            signing_name,
            protocols,
            json_version,
            target_prefix,
            api_version,
            xml_namespace,
            query_compatible: flags & 1 != 0,
            bearer: flags & 2 != 0,
            endpoints,
            errors,
            operations,
            shapes: std::mem::take(&mut self.shapes).into_iter().map(|s| s.expect("a whole shape")).collect(),
        }
    }

    fn error(&mut self) -> ErrorShape {
        let (shape, code, exception) = (self.text(), self.text(), self.text());
        let or_shape = |text: Arc<str>| if text.is_empty() { shape.clone() } else { text };
        let (code, exception) = (or_shape(code), or_shape(exception));
        ErrorShape { code, exception, status: self.number() as u16, shape }
    }

    fn operation(&mut self) -> Operation {
        let name = self.text();
        let flags = self.number();
        let bit = |n: usize| flags >> n & 1 == 1;
        let traits = Traits {
            unsigned: bit(0),
            unsigned_body: bit(1),
            checksum_required: bit(2),
            idempotent: bit(4),
            discovery: bit(5),
        };
        let method = METHODS[self.number()];
        let uri = self.text();
        Operation {
            name,
            method,
            uri: if uri.is_empty() { "/".into() } else { uri },
            host_prefix: self.text(),
            traits,
            checksum_member: self.text(),
            input_name: self.text(),
            input_namespace: self.text(),
            result_wrapper: self.text(),
            input: self.reference(),
            output: self.reference(),
        }
    }

    fn reference(&mut self) -> Type {
        let number = self.number();
        if let Some(scalar) = SCALARS.get(number) {
            return *scalar;
        }
        if number > NEW {
            return Type::Shape((number - NEW - 1) as u32);
        }
        let at = self.shapes.len();
        self.shapes.push(None);
        self.shapes[at] = Some(self.compound());
        Type::Shape(at as u32)
    }

    fn compound(&mut self) -> Shape {
        let head = self.number();
        let bit = |n: usize| head >> n & 1 == 1;
        match head & 3 {
            0 => {
                let item_name = self.text_if(bit(3));
                Shape::List { item: self.reference(), flattened: bit(2), item_name }
            }
            1 => {
                let (key_name, value_name) =
                    if bit(3) { (self.text(), self.text()) } else { ("key".into(), "value".into()) };
                Shape::Map { value: self.reference(), flattened: bit(2), key_name, value_name }
            }
            _ => {
                let (payload, wrapper) = (self.text_if(bit(2)), self.text_if(bit(3)));
                Shape::Structure(Structure { payload, wrapper, union: bit(4), members: self.many(Reader::member) })
            }
        }
    }

    fn member(&mut self) -> Member {
        let name = self.text();
        let flags = self.number();
        let bit = |n: usize| flags >> n & 1 == 1;
        let location = match flags & 7 {
            0 => Location::Body,
            1 => Location::Uri,
            2 => Location::Query,
            3 => Location::Header,
            4 => Location::Headers,
            _ => Location::Status,
        };
        let wire = self.text_if(bit(4));
        let namespace = bit(8).then(|| (self.text(), self.text()));
        let query_name = self.text_if(bit(9));
        let key = self.keys.entry(name.clone()).or_insert_with(|| {
            let key = member_name(&name);
            if *key == *name { name.clone() } else { key.into() }
        });
        Member {
            key: key.clone(),
            renamed: wire.is_some(),
            wire: wire.unwrap_or_else(|| name.clone()),
            name,
            location,
            required: bit(3),
            flattened: bit(5),
            token: bit(6),
            attribute: bit(7),
            namespace,
            query_name,
            ty: self.reference(),
        }
    }
}
