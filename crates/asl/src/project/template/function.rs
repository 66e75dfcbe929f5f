//! Intrinsic functions: what a value of a template is once they are called.

use super::super::error::Problem;
use super::parameter::scalar_text;
use super::scope::{MAX_TEXT_BYTES, Scope};
use asl_syntax::{Data, Node, Span, nearest};
use asl_value::Value;
use std::net::Ipv4Addr;

/// The function that a node calls and its argument: an object of one member, `Ref` or `Fn::...`.
pub(super) fn called(node: &Node) -> Option<(&str, &Node)> {
    match node.as_object()? {
        [member] if &*member.key == "Ref" || member.key.starts_with("Fn::") => Some((&member.key, &member.value)),
        _ => None,
    }
}

impl Scope<'_> {
    /// A value with its functions called; `None` for `AWS::NoValue`, which takes away what it is the value of.
    ///
    /// # Errors
    /// The first thing in it that cannot be resolved.
    pub(super) fn resolve(&self, node: &Node) -> Result<Option<Node>, Box<Problem>> {
        self.deeper(node.span, || match called(node) {
            Some((function, argument)) => self.call(function, argument, node.span),
            None => self.members(node).map(Some),
        })
    }

    fn members(&self, node: &Node) -> Result<Node, Box<Problem>> {
        let data = match &node.data {
            Data::Scalar(_) => return Ok(node.clone()),
            Data::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    resolved.extend(self.resolve(item)?);
                }
                Data::Array(resolved)
            }
            Data::Object(members) => {
                let mut resolved = Vec::with_capacity(members.len());
                for member in members {
                    if let Some(value) = self.resolve(&member.value)? {
                        resolved.push(asl_syntax::Member { value, ..member.clone() });
                    }
                }
                Data::Object(resolved)
            }
        };
        Ok(Node { span: node.span, data })
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// As [`Scope::resolve`], and for `AWS::NoValue`.
    pub(super) fn resolved(&self, node: &Node) -> Result<Node, Box<Problem>> {
        self.resolve(node)?.ok_or_else(|| self.problem(node.span, "AWS::NoValue cannot stand here", "give it a value"))
    }

    /// A value that must be a text; numbers and booleans are written out. `None` for `AWS::NoValue` and null.
    ///
    /// # Errors
    /// As [`Scope::resolve`], and for a list or an object.
    pub(super) fn text_of(&self, node: &Node) -> Result<Option<String>, Box<Problem>> {
        let Some(value) = self.resolve(node)?.map(|node| node.to_value()).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let text = scalar_text(&value)
            .ok_or_else(|| self.problem(node.span, format!("a text is needed, not {}", value.kind().name()), ""))?;
        self.count(text.len(), node.span)?;
        Ok(Some(text))
    }

    fn needed_text(&self, node: &Node) -> Result<String, Box<Problem>> {
        self.text_of(node)?.ok_or_else(|| self.problem(node.span, "a text is needed here", "give it a value"))
    }

    /// Exactly so many arguments, in a list.
    pub(super) fn arguments<'n, const N: usize>(
        &self,
        function: &str,
        node: &'n Node,
    ) -> Result<[&'n Node; N], Box<Problem>> {
        let items: Vec<&Node> = node.as_array().unwrap_or_default().iter().collect();
        let found = items.len();
        items.try_into().map_err(|_| {
            let s = if N == 1 { "" } else { "s" };
            self.problem(node.span, format!("{function} takes a list of {N} argument{s}, not {found}"), "")
        })
    }

    fn call(&self, function: &str, argument: &Node, span: Span) -> Result<Option<Node>, Box<Problem>> {
        let text = |text: String| {
            self.count(text.len(), span)?;
            Ok(Some(scalar(span, Value::from(text))))
        };
        match function {
            "Ref" => match argument.as_str() {
                Some(name) => self.reference(name, span),
                None => Err(self.problem(argument.span, "Ref takes a name", "name a parameter or a resource")),
            },
            "Fn::GetAtt" => {
                let (id, attribute) = self.attribute_path(argument)?;
                text(self.attribute(&id, &attribute, span)?)
            }
            "Fn::Sub" => text(self.sub(argument)?),
            "Fn::Join" => text(self.join(argument)?),
            "Fn::Select" => self.select(argument).map(Some),
            "Fn::Split" => {
                let [delimiter, whole] = self.arguments(function, argument)?;
                let (delimiter, whole) = (self.needed_text(delimiter)?, self.needed_text(whole)?);
                if delimiter.is_empty() {
                    return Err(self.problem(argument.span, "Fn::Split needs a delimiter", ""));
                }
                let parts = whole.split(&delimiter).map(|part| scalar(span, Value::from(part)));
                Ok(Some(Node { span, data: Data::Array(parts.collect()) }))
            }
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::If" => {
                let [condition, yes, no] = self.arguments(function, argument)?;
                let Some(name) = condition.as_str() else {
                    return Err(self.problem(condition.span, "Fn::If takes the name of a condition", ""));
                };
                self.resolve(if self.holds(name, condition.span)? { yes } else { no })
            }
            "Fn::Base64" => text(base64(self.needed_text(argument)?.as_bytes())),
            "Fn::ImportValue" => text(self.import(argument)?),
            "Fn::GetAZs" => {
                let given = self.needed_text(argument)?;
                let region = if given.is_empty() { &self.settings.identity.region } else { &given };
                let zones = ["a", "b", "c"].map(|zone| scalar(span, Value::from(format!("{region}{zone}"))));
                Ok(Some(Node { span, data: Data::Array(zones.into()) }))
            }
            "Fn::Cidr" => self.cidr(argument, span).map(Some),
            "Fn::Length" => {
                let list = self.resolved(argument)?;
                let length = list.as_array().map(|items| items.len() as u64);
                let length = length.ok_or_else(|| self.problem(argument.span, "Fn::Length takes a list", ""))?;
                Ok(Some(scalar(span, Value::from(length))))
            }
            "Fn::ToJsonString" => text(self.resolved(argument)?.to_value().to_string()),
            "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => Err(self.problem(
                span,
                format!("{function} stands in Conditions only"),
                "name the condition with Fn::If",
            )),
            other => Err(self.problem(
                span,
                format!("the function {other} is not supported"),
                "write out what it stands for",
            )),
        }
    }

    /// `A.Arn`, `["A", "Arn"]`.
    fn attribute_path(&self, argument: &Node) -> Result<(String, String), Box<Problem>> {
        let wrong = || self.problem(argument.span, "Fn::GetAtt takes a resource and an attribute", "write `Name.Arn`");
        if let Some(text) = argument.as_str() {
            let (id, attribute) = text.split_once('.').ok_or_else(wrong)?;
            return Ok((id.to_owned(), attribute.to_owned()));
        }
        let (id, rest) = argument.as_array().and_then(<[Node]>::split_first).ok_or_else(wrong)?;
        let mut path = Vec::with_capacity(rest.len());
        for part in rest {
            path.push(self.needed_text(part)?);
        }
        match id.as_str() {
            Some(id) if !path.is_empty() => Ok((id.to_owned(), path.join("."))),
            _ => Err(wrong()),
        }
    }

    /// `Fn::Sub`: a text, or a text and the values of its own names.
    fn sub(&self, argument: &Node) -> Result<String, Box<Problem>> {
        let mut whole = String::new();
        self.each_part(argument, |part| {
            let (text, span) = match &part {
                Part::Literal(text) => (*text, argument.span),
                Part::Value(text, span, _) => (text.as_str(), *span),
            };
            whole.push_str(text);
            if whole.len() > MAX_TEXT_BYTES { self.count(whole.len(), span) } else { Ok(()) }
        })?;
        Ok(whole)
    }

    /// The parts of a `Fn::Sub`, in order.
    pub(super) fn each_part(
        &self,
        argument: &Node,
        mut part: impl FnMut(Part<'_>) -> Result<(), Box<Problem>>,
    ) -> Result<(), Box<Problem>> {
        let (template, own) = match argument.as_array() {
            Some([template, own]) => (template, Some(own)),
            Some(_) => return Err(self.problem(argument.span, "Fn::Sub takes a text, or a text and its values", "")),
            None => (argument, None),
        };
        let text = template.as_str().ok_or_else(|| self.problem(template.span, "Fn::Sub takes a text", ""))?;
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            let key = rest[start + 2..start + length].trim();
            part(Part::Literal(&rest[..start]))?;
            let written = &rest[start..=start + length];
            match key.strip_prefix('!') {
                Some(literal) => part(Part::Value(format!("${{{literal}}}"), template.span, written))?,
                None => part(Part::Value(self.named(key, own, template.span)?, template.span, written))?,
            }
            rest = &rest[start + length + 1..];
        }
        part(Part::Literal(rest))
    }

    /// What `${key}` stands for in a `Fn::Sub`.
    fn named(&self, key: &str, own: Option<&Node>, span: Span) -> Result<String, Box<Problem>> {
        if let Some(member) = own.and_then(|own| own.member(key)) {
            return self.needed_text(&member.value);
        }
        let found = match key.split_once('.') {
            Some((id, attribute)) if !key.contains("::") => self.attribute(id, attribute, span)?,
            _ => {
                let value = self.reference(key, span)?.map(|node| node.to_value()).unwrap_or_default();
                let list = || {
                    value.as_array().map(|items| items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
                };
                scalar_text(&value).or_else(list).unwrap_or_default()
            }
        };
        Ok(found)
    }

    fn join(&self, argument: &Node) -> Result<String, Box<Problem>> {
        let [delimiter, list] = self.arguments("Fn::Join", argument)?;
        let delimiter = self.needed_text(delimiter)?;
        let list = self.resolved(list)?;
        let items = list.as_array().ok_or_else(|| self.problem(argument.span, "Fn::Join joins a list", ""))?;
        let mut joined = String::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                joined.push_str(&delimiter);
            }
            let value = item.to_value();
            let text = scalar_text(&value).ok_or_else(|| {
                self.problem(item.span, format!("Fn::Join joins texts, not {}", value.kind().name()), "")
            })?;
            joined.push_str(&text);
            if joined.len() > MAX_TEXT_BYTES {
                break;
            }
        }
        Ok(joined)
    }

    fn select(&self, argument: &Node) -> Result<Node, Box<Problem>> {
        let [index, list] = self.arguments("Fn::Select", argument)?;
        let (number, list) = (self.needed_text(index)?, self.resolved(list)?);
        let items = list.as_array().ok_or_else(|| self.problem(argument.span, "Fn::Select takes from a list", ""))?;
        let found = number.parse::<usize>().ok().and_then(|at| items.get(at)).cloned();
        found.ok_or_else(|| {
            self.problem(index.span, format!("there is no item {number} among {}", items.len()), "count from 0")
        })
    }

    fn find_in_map(&self, argument: &Node) -> Result<Node, Box<Problem>> {
        let arguments = argument.as_array().unwrap_or_default();
        let [map, top, second, rest @ ..] = arguments else {
            return Err(self.problem(argument.span, "Fn::FindInMap takes a map and two keys", ""));
        };
        let mut at = self.mappings;
        let mut path = String::from("Mappings");
        for key in [map, top, second] {
            let name = self.needed_text(key)?;
            let found = at.and_then(|node| node.member(&name));
            let Some(found) = found else {
                if let Some(default) = rest.first().and_then(|rest| rest.member("DefaultValue")) {
                    return self.resolved(&default.value);
                }
                let keys = at.and_then(Node::as_object).unwrap_or_default().iter().map(|m| &*m.key);
                let help = nearest(&name, keys).map_or_else(String::new, |near| format!("did you mean `{near}`?"));
                return Err(self.problem(key.span, format!("{path} has no `{name}`"), help));
            };
            path = format!("{path}.{name}");
            at = Some(&found.value);
        }
        Ok(at.cloned().unwrap_or_else(|| scalar(argument.span, Value::Null)))
    }

    fn import(&self, argument: &Node) -> Result<String, Box<Problem>> {
        let name = self.needed_text(argument)?;
        self.settings.imports.get(&name).cloned().ok_or_else(|| {
            let help = format!("give it a value: `Imports = {{ \"{name}\" = \"...\" }}` under [template] in asl.toml");
            self.problem(argument.span, format!("no value is given for what another stack exports as `{name}`"), help)
        })
    }

    /// `Fn::Cidr` of IPv4: so many blocks of so many host bits.
    fn cidr(&self, argument: &Node, span: Span) -> Result<Node, Box<Problem>> {
        let wrong = || self.problem(argument.span, "Fn::Cidr takes a block, a count of 1 to 256, and bits", "");
        let [block, count, bits] = self.arguments("Fn::Cidr", argument)?;
        let (block, count, bits) = (self.needed_text(block)?, self.needed_text(count)?, self.needed_text(bits)?);
        let (address, _) = block.split_once('/').ok_or_else(wrong)?;
        let address: u32 = address.parse::<Ipv4Addr>().map_err(|_| wrong())?.into();
        let count = count.parse::<u32>().ok().filter(|n| (1..=256).contains(n)).ok_or_else(wrong)?;
        let bits = bits.parse::<u32>().ok().filter(|n| (1..=31).contains(n)).ok_or_else(wrong)?;
        let block = |i: u32| {
            let address = Ipv4Addr::from(address.wrapping_add(i.wrapping_shl(bits)));
            scalar(span, Value::from(format!("{address}/{}", 32 - bits)))
        };
        Ok(Node { span, data: Data::Array((0..count).map(block).collect()) })
    }
}

/// A part of a `Fn::Sub`.
pub(super) enum Part<'p> {
    /// Text that stands for itself.
    Literal(&'p str),
    /// What a `${...}` became, the place of the whole, and how it is written.
    Value(String, Span, &'p str),
}

fn scalar(span: Span, value: Value) -> Node {
    Node { span, data: Data::Scalar(value) }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]);
            out.push(if i <= chunk.len() { letter } else { '=' });
        }
    }
    out
}
