//! Checked values as XML.

use crate::check::scalar_text;
use crate::model::{Member, Service, Shape, TimeFormat, Type};
use asl_value::{Map, Value};

struct Writer<'a> {
    service: &'a Service,
    out: String,
}

/// The document of members of a structure, its root `name`d.
pub(in crate::protocol) fn encode<'a>(
    service: &Service,
    name: &str,
    namespace: Option<&str>,
    members: impl Iterator<Item = (&'a Member, &'a Value)> + Clone,
) -> Vec<u8> {
    let mut writer = Writer { service, out: String::new() };
    let space = namespace.map(|uri| ("", uri));
    writer.members(name, space, members);
    writer.out.into_bytes()
}

fn escape(text: &str, quoted: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if quoted => out.push_str("&quot;"),
            '\n' if quoted => out.push_str("&#10;"),
            // A carriage return that stands there as it is would be read as the end of a line.
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
}

impl Writer<'_> {
    fn members<'a>(
        &mut self,
        name: &str,
        space: Option<(&str, &str)>,
        members: impl Iterator<Item = (&'a Member, &'a Value)> + Clone,
    ) {
        let attributes = members.clone().filter(|(m, _)| m.attribute);
        let attributes: Vec<_> =
            attributes.map(|(m, v)| (m.wire.to_string(), scalar_text(m.ty, v, TimeFormat::Iso8601))).collect();
        self.element(name, space, &attributes, |writer| {
            for (member, value) in members.filter(|(m, _)| !m.attribute) {
                let space = member.namespace.as_ref().map(|(prefix, uri)| (&**prefix, &**uri));
                writer.value(member.ty, value, &member.wire, space, member.flattened);
            }
        });
    }

    fn element(
        &mut self,
        name: &str,
        space: Option<(&str, &str)>,
        attributes: &[(String, String)],
        inner: impl FnOnce(&mut Self),
    ) {
        self.out.push('<');
        self.out.push_str(name);
        let space = space.map(|(prefix, uri)| {
            (if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") }, uri.to_owned())
        });
        for (name, value) in space.iter().chain(attributes) {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, true, &mut self.out);
            self.out.push('"');
        }
        let before = self.out.len();
        self.out.push('>');
        inner(self);
        if self.out.len() == before + 1 {
            self.out.truncate(before);
            self.out.push_str(" />");
        } else {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }

    fn value(&mut self, ty: Type, value: &Value, name: &str, space: Option<(&str, &str)>, flat: bool) {
        let service = self.service;
        match (service.shape(ty), value) {
            (Some(Shape::Structure(structure)), Value::Object(given)) => {
                let members = given.iter().filter_map(|(key, value)| Some((structure.by_key(key)?, value)));
                self.members(name, space, members);
            }
            (Some(Shape::List { item, flattened, item_name }), Value::Array(items)) => {
                if flat || *flattened {
                    items.iter().for_each(|i| self.value(*item, i, name, None, false));
                } else {
                    let inner = item_name.as_deref().unwrap_or("member");
                    self.element(name, space, &[], |w| {
                        items.iter().for_each(|i| w.value(*item, i, inner, None, false))
                    });
                }
            }
            (Some(Shape::Map { value: of, flattened, key_name, value_name }), Value::Object(entries)) => {
                let names = (&**key_name, &**value_name);
                if flat || *flattened {
                    self.entries(*of, entries, name, names);
                } else {
                    self.element(name, space, &[], |w| w.entries(*of, entries, "entry", names));
                }
            }
            (Some(_), _) => {}
            (None, _) => {
                let text = scalar_text(ty, value, TimeFormat::Iso8601);
                self.element(name, space, &[], |w| escape(&text, false, &mut w.out));
            }
        }
    }

    fn entries(&mut self, of: Type, entries: &Map, name: &str, (key_name, value_name): (&str, &str)) {
        for (key, value) in entries {
            self.element(name, None, &[], |w| {
                w.element(key_name, None, &[], |w| escape(key, false, &mut w.out));
                w.value(of, value, value_name, None, false);
            });
        }
    }
}
