//! SAM's `Globals`: properties that all resources of a type share.

use super::function::called;
use asl_syntax::{Data, Member, Node};

/// The properties of a resource, those of `Globals` under its own.
pub(super) fn with_globals(kind: &str, resource: &Node, globals: Option<&Node>) -> Node {
    let own = resource.member("Properties").map(|m| &m.value).filter(|own| own.as_object().is_some());
    let empty = Node { span: resource.span, data: Data::Object(Vec::new()) };
    let own = own.unwrap_or(&empty);
    let section = kind.strip_prefix("AWS::Serverless::");
    let shared = section.and_then(|section| globals?.member(section)).map(|m| &m.value);
    let Some(shared) = shared else { return own.clone() };
    let ignored = resource.member("IgnoreGlobals").map(|m| m.value.to_value());
    let is_ignored = |name: &str| {
        let list = ignored.as_ref().and_then(|value| value.as_array());
        list.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(name)))
    };
    if ignored.as_ref().and_then(|value| value.as_str()) == Some("*") {
        return own.clone();
    }
    let kept = shared.as_object().unwrap_or_default().iter().filter(|m| !is_ignored(&m.key)).cloned().collect();
    let shared = Node { span: shared.span, data: Data::Object(kept) };
    match merged(&shared, own, 0) {
        Node { data: Data::Object(members), .. } => Node { span: own.span, data: Data::Object(members) },
        other => other,
    }
}

/// Objects are merged, lists joined; of anything else the resource's own counts. A function's call is one value.
fn merged(global: &Node, local: &Node, depth: usize) -> Node {
    let plain = |node: &Node| called(node).is_none();
    match (&global.data, &local.data) {
        (Data::Object(shared), Data::Object(own)) if plain(global) && plain(local) && depth < 32 => {
            let mut members: Vec<Member> = Vec::with_capacity(shared.len() + own.len());
            for member in shared.iter().filter(|m| local.member(&m.key).is_none()) {
                members.push(member.clone());
            }
            for member in own {
                let replaced = depth == 0 && &*member.key == "Architectures";
                let value = match global.member(&member.key).filter(|_| !replaced) {
                    Some(shared) => merged(&shared.value, &member.value, depth + 1),
                    None => member.value.clone(),
                };
                members.push(Member { value, ..member.clone() });
            }
            Node { span: local.span, data: Data::Object(members) }
        }
        (Data::Array(shared), Data::Array(own)) => {
            let items = shared.iter().chain(own).cloned().collect();
            Node { span: local.span, data: Data::Array(items) }
        }
        _ => local.clone(),
    }
}
