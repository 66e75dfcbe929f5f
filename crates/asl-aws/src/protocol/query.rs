//! Shapes as a form: the protocols of the oldest services, and EC2's own variant.

use crate::check::scalar_text;
use crate::model::{Member, Operation, Protocol, Service, Shape, TimeFormat, Type};
use crate::uri::form;
use asl_value::Value;

struct Form<'a> {
    service: &'a Service,
    ec2: bool,
    fields: Vec<(String, String)>,
}

/// The form of an operation with checked parameters.
pub(super) fn encode(service: &Service, operation: &Operation, parameters: &Value) -> Vec<u8> {
    let fields = vec![
        ("Action".to_owned(), operation.name.to_string()),
        ("Version".to_owned(), service.api_version.to_string()),
    ];
    let mut made = Form { service, ec2: service.protocol() == Protocol::Ec2, fields };
    made.value(operation.input, parameters, "", false);
    form(&made.fields).into_bytes()
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

impl Form<'_> {
    fn name(&self, member: &Member) -> String {
        if let (true, Some(name)) = (self.ec2, &member.query_name) {
            return name.to_string();
        }
        let mut name = member.wire.to_string();
        if let Some(first) = name.get_mut(..1).filter(|_| self.ec2 && member.renamed) {
            first.make_ascii_uppercase();
        }
        name
    }

    fn value(&mut self, ty: Type, value: &Value, prefix: &str, flat: bool) {
        let service = self.service;
        match (service.shape(ty), value) {
            (Some(Shape::Structure(structure)), Value::Object(given)) => {
                for (key, value) in given.iter() {
                    if let Some(member) = structure.by_key(key) {
                        self.value(member.ty, value, &joined(prefix, &self.name(member)), member.flattened);
                    }
                }
            }
            (Some(Shape::List { item, flattened, item_name }), Value::Array(items)) => {
                self.list(*item, items, prefix, flat || *flattened, item_name.as_deref());
            }
            (Some(Shape::Map { value: of, flattened, key_name, value_name }), Value::Object(entries)) => {
                let prefix = if flat || *flattened { prefix.to_owned() } else { format!("{prefix}.entry") };
                for (n, (key, value)) in entries.iter().enumerate() {
                    self.fields.push((format!("{prefix}.{}.{key_name}", n + 1), key.to_string()));
                    self.value(*of, value, &format!("{prefix}.{}.{value_name}", n + 1), false);
                }
            }
            (Some(_), _) => {}
            (None, _) => {
                // Python and Java write a number as it came; a document has no form, and no such service has one.
                self.fields.push((prefix.to_owned(), scalar_text(ty, value, TimeFormat::Iso8601)));
            }
        }
    }

    fn list(&mut self, item: Type, items: &[Value], prefix: &str, flat: bool, name: Option<&str>) {
        if items.is_empty() && !self.ec2 {
            self.fields.push((prefix.to_owned(), String::new()));
        }
        let prefix = match (self.ec2, flat, name) {
            (true, ..) | (false, true, None) => prefix.to_owned(),
            (false, true, Some(name)) => {
                let parent = prefix.rsplit_once('.').map_or("", |(parent, _)| parent);
                joined(parent, name)
            }
            (false, false, name) => format!("{prefix}.{}", name.unwrap_or("member")),
        };
        for (n, value) in items.iter().enumerate() {
            self.value(item, value, &format!("{prefix}.{}", n + 1), false);
        }
    }
}
