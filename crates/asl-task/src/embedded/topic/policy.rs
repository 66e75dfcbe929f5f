//! Subscription filter policies (Amazon SNS developer guide, "Amazon SNS message filtering").

use crate::embedded::spec::FilterPolicyScope;
use asl_expr::string_matches;
use asl_value::{Map, Value};
use std::net::IpAddr;

/// The most keys of a policy, and the most combinations of values.
const MAX_KEYS: usize = 5;
const MAX_COMBINATIONS: usize = 150;
/// The most combinations of an event pattern.
const MAX_EVENT_COMBINATIONS: usize = 1_000_000;
/// How deep a policy on the message body nests.
const MAX_DEPTH: usize = 32;

/// A parsed filter policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FilterPolicy {
    scope: FilterPolicyScope,
    root: Node,
}

/// All keys must match; of the rules of a key, one.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    All(Vec<(String, Node)>),
    Either(Vec<Node>),
    Rules(Vec<Rule>),
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Exactly(Value),
    IgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Rule>),
    Numeric(Vec<(Bound, f64)>),
    Cidr(IpAddr, u32),
    Wildcard(String),
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl FilterPolicy {
    /// Reads a policy: an object, or its JSON text. The error says what is wrong.
    pub(crate) fn read(policy: &Value, scope: FilterPolicyScope) -> Result<FilterPolicy, String> {
        let parsed;
        let policy = match policy.as_str() {
            Some(text) => {
                parsed = text.parse::<Value>().map_err(|error| format!("the policy is not JSON: {error}"))?;
                &parsed
            }
            None => policy,
        };
        let keys = policy.as_object().ok_or("the policy must be an object")?;
        if keys.len() > MAX_KEYS {
            return Err("Filter policy can not have more than 5 keys".to_owned());
        }
        let mut reader = Reader { scope, combinations: 1, most: MAX_COMBINATIONS };
        let root = reader.object(keys, 1)?;
        Ok(FilterPolicy { scope, root })
    }

    /// Reads an event pattern of EventBridge: the same rules on the whole event, without SNS's bound on keys. The error says what is
    /// wrong.
    pub(crate) fn of_events(pattern: &Value) -> Result<FilterPolicy, String> {
        let parsed;
        let pattern = match pattern.as_str() {
            Some(text) => {
                parsed = text.parse::<Value>().map_err(|error| format!("the pattern is not JSON: {error}"))?;
                &parsed
            }
            None => pattern,
        };
        let keys = pattern.as_object().ok_or("the pattern must be an object")?;
        if keys.is_empty() {
            return Err("Empty objects are not allowed".to_owned());
        }
        let scope = FilterPolicyScope::MessageBody;
        let mut reader = Reader { scope, combinations: 1, most: MAX_EVENT_COMBINATIONS };
        Ok(FilterPolicy { scope, root: reader.object(keys, 1)? })
    }

    /// Whether an event matches.
    pub(crate) fn matches_event(&self, event: &Value) -> bool {
        matches(&self.root, event)
    }

    /// Whether a message passes. `attributes` are its message attributes, `text` is the message.
    pub(crate) fn passes(&self, attributes: &Value, text: &str) -> bool {
        match self.scope {
            FilterPolicyScope::MessageAttributes => {
                let members = attributes.as_object().into_iter().flatten();
                let values = members.map(|(name, value)| (name.clone(), attribute_value(value)));
                matches(&self.root, &values.collect())
            }
            FilterPolicyScope::MessageBody => {
                let body = text.parse::<Value>().ok();
                body.is_some_and(|body| body.as_object().is_some() && matches(&self.root, &body))
            }
        }
    }
}

/// What a policy sees of a message attribute: text, number, or the elements of a `String.Array`.
fn attribute_value(attribute: &Value) -> Value {
    let text = &attribute["StringValue"];
    let read = |text: &Value| text.as_str().and_then(|text| text.parse::<Value>().ok());
    match attribute["DataType"].as_str().unwrap_or_default() {
        "String.Array" => read(text).unwrap_or_else(|| text.clone()),
        kind if kind == "Number" || kind.starts_with("Number.") => read(text).unwrap_or_else(|| text.clone()),
        kind if kind.starts_with("Binary") => Value::Null,
        _ => text.clone(),
    }
}

fn matches(node: &Node, value: &Value) -> bool {
    match node {
        Node::Either(nodes) => nodes.iter().any(|node| matches(node, value)),
        Node::All(keys) => match value {
            Value::Array(items) => items.iter().any(|item| matches(node, item)),
            _ => keys.iter().all(|(key, node)| {
                // An alternative looks at the same object.
                if let Node::Either(_) = node { matches(node, value) } else { matches_member(node, value.get(key)) }
            }),
        },
        Node::Rules(rules) => rules.iter().any(|rule| rule.holds_for(Some(value))),
    }
}

fn matches_member(node: &Node, member: Option<&Value>) -> bool {
    match (node, member) {
        (Node::Rules(rules), member) => rules.iter().any(|rule| rule.holds_for(member)),
        // A nested policy over something absent can only ask for absence.
        (node, None) => matches(node, &Value::empty_object()),
        (node, Some(member)) => matches(node, member),
    }
}

impl Rule {
    /// Whether the rule holds for a value that may be absent; of an array, for one of its elements.
    fn holds_for(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Rule::Exists(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (rule, Some(Value::Array(items))) => items.iter().any(|item| rule.holds(item)),
            (rule, Some(value)) => rule.holds(value),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        let text = |test: &dyn Fn(&str) -> bool| value.as_str().is_some_and(test);
        match self {
            Rule::Exactly(wanted) => wanted == value,
            Rule::IgnoreCase(wanted) => text(&|text| text.to_lowercase() == *wanted),
            Rule::Prefix(prefix) => text(&|text| text.starts_with(prefix.as_str())),
            Rule::Suffix(suffix) => text(&|text| text.ends_with(suffix.as_str())),
            Rule::AnythingBut(rules) => !value.is_null() && !rules.iter().any(|rule| rule.holds(value)),
            Rule::Numeric(bounds) => value.as_f64().is_some_and(|x| bounds.iter().all(|(bound, y)| bound.holds(x, *y))),
            Rule::Cidr(network, bits) => text(&|text| text.parse().is_ok_and(|ip| in_network(ip, *network, *bits))),
            Rule::Wildcard(pattern) => text(&|text| string_matches(pattern, text) == Ok(true)),
            Rule::Exists(_) => false,
        }
    }
}

impl Bound {
    fn holds(self, x: f64, y: f64) -> bool {
        match self {
            Bound::Equal => x == y,
            Bound::Less => x < y,
            Bound::LessOrEqual => x <= y,
            Bound::Greater => x > y,
            Bound::GreaterOrEqual => x >= y,
        }
    }
}

fn in_network(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => {
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            u32::from(ip) & mask == u32::from(net) & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) => {
            let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
            u128::from(ip) & mask == u128::from(net) & mask
        }
        _ => false,
    }
}

struct Reader {
    scope: FilterPolicyScope,
    combinations: usize,
    /// The most of them.
    most: usize,
}

impl Reader {
    fn object(&mut self, keys: &Map, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err("Filter policy is too complex".to_owned());
        }
        let mut nodes = Vec::new();
        for (key, value) in keys {
            let node = match value {
                Value::Array(nested) if &**key == "$or" => self.either(nested, depth)?,
                Value::Array(rules) => self.rules(key, rules, depth)?,
                Value::Object(_) if self.scope == FilterPolicyScope::MessageAttributes => {
                    let problem = "Filter policy scope MessageAttributes does not support nested filter policy";
                    return Err(format!("{key}: {problem}"));
                }
                Value::Object(nested) => self.object(nested, depth + 1)?,
                _ => return Err(format!("\"{key}\" must be an object or an array")),
            };
            nodes.push((key.to_string(), node));
        }
        Ok(Node::All(nodes))
    }

    fn either(&mut self, alternatives: &[Value], depth: usize) -> Result<Node, String> {
        let object = |value: &Value| value.as_object().cloned().ok_or("\"$or\" must be an array of objects");
        let nodes = alternatives.iter().map(|value| self.object(&object(value)?, depth + 1));
        Ok(Node::Either(nodes.collect::<Result<_, _>>()?))
    }

    fn rules(&mut self, key: &str, rules: &[Value], depth: usize) -> Result<Node, String> {
        if rules.is_empty() {
            return Err(format!("\"{key}\": Empty arrays are not allowed"));
        }
        self.combinations = self.combinations.saturating_mul(rules.len() * depth);
        if self.combinations > self.most {
            return Err("Filter policy is too complex".to_owned());
        }
        let rules = rules.iter().map(read_rule).collect::<Result<_, _>>();
        rules.map(Node::Rules).map_err(|problem| format!("\"{key}\": {problem}"))
    }
}

fn read_rule(value: &Value) -> Result<Rule, String> {
    let Value::Object(object) = value else {
        return match value {
            Value::Array(_) => Err("Match value must be String, number, true, false, or null".to_owned()),
            value => Ok(Rule::Exactly(value.clone())),
        };
    };
    let (Some((keyword, argument)), 1) = (object.iter().next(), object.len()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    let text = || argument.as_str().map(str::to_owned).ok_or(format!("{keyword} match pattern must be a string"));
    match &**keyword {
        "prefix" => text().map(Rule::Prefix),
        "suffix" => text().map(Rule::Suffix),
        "wildcard" => {
            let pattern = text()?;
            match string_matches(&pattern, "") {
                Ok(_) if pattern.contains("**") => Err("Consecutive wildcard characters".to_owned()),
                Ok(_) => Ok(Rule::Wildcard(pattern)),
                Err(_) => Err("Invalid escape character in wildcard match".to_owned()),
            }
        }
        "equals-ignore-case" => text().map(|text| Rule::IgnoreCase(text.to_lowercase())),
        "anything-but" => read_anything_but(argument).map(Rule::AnythingBut),
        "numeric" => read_numeric(argument).map(Rule::Numeric),
        "cidr" => read_cidr(&text()?).ok_or("Malformed CIDR, one '/' required".to_owned()),
        "exists" => {
            let wanted = argument.as_bool().ok_or("exists match pattern must be either true or false.")?;
            Ok(Rule::Exists(wanted))
        }
        other => Err(format!("Unrecognized match type {other}")),
    }
}

fn read_anything_but(argument: &Value) -> Result<Vec<Rule>, String> {
    match argument {
        Value::Array(items) if items.is_empty() => Err("anything-but needs a value".to_owned()),
        Value::Array(items) => items.iter().map(read_rule).collect(),
        Value::Object(object) => match object.iter().next() {
            Some((keyword, several))
                if ["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&&**keyword)
                    && object.len() == 1 =>
            {
                let one = |value: &Value| read_rule(&Value::from_iter([(keyword.clone(), value.clone())]));
                match several {
                    Value::Array(values) if values.is_empty() => Err("anything-but needs a value".to_owned()),
                    Value::Array(values) => values.iter().map(one).collect(),
                    value => Ok(vec![one(value)?]),
                }
            }
            _ => Err("anything-but takes values, prefix, suffix, wildcard or equals-ignore-case".to_owned()),
        },
        value => Ok(vec![read_rule(value)?]),
    }
}

/// `["=", 1]`, `[">", 0]`, `[">", 0, "<=", 5]`
fn read_numeric(argument: &Value) -> Result<Vec<(Bound, f64)>, String> {
    let items = argument.as_array().ok_or("Value of numeric must be an array")?;
    let mut bounds = Vec::new();
    for pair in items.chunks(2) {
        let operator = pair[0].as_str().ok_or(format!("Invalid member in numeric match: {}", pair[0]))?;
        let bound = match operator {
            "=" => Bound::Equal,
            "<" => Bound::Less,
            "<=" => Bound::LessOrEqual,
            ">" => Bound::Greater,
            ">=" => Bound::GreaterOrEqual,
            _ => return Err(format!("Unrecognized numeric range operator: {operator}")),
        };
        let number = pair.get(1).and_then(Value::as_f64).ok_or(format!("Value of {operator} must be numeric"))?;
        bounds.push((bound, number));
    }
    match bounds[..] {
        [] => Err("Invalid member in numeric match: ]".to_owned()),
        [_] => Ok(bounds),
        [(Bound::Greater | Bound::GreaterOrEqual, low), (Bound::Less | Bound::LessOrEqual, high)] => {
            if low < high {
                Ok(bounds)
            } else {
                Err("Bottom must be less than top".to_owned())
            }
        }
        [(Bound::Greater | Bound::GreaterOrEqual, _), _] => Err("Bad numeric range operator".to_owned()),
        _ => Err("Too many elements in numeric expression".to_owned()),
    }
}

fn read_cidr(text: &str) -> Option<Rule> {
    let (network, bits) = text.split_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    (bits <= if network.is_ipv4() { 32 } else { 128 }).then_some(Rule::Cidr(network, bits))
}
