//! How things are named. AWS SDK integrations of Step Functions show the names and texts of the Java SDK 2; optimized
//! integrations those of the SDK before it, whose members are the model's with a capital (`BOOL`, not `Bool`).

use crate::model::{Member, Operation, Service, Shape, Type};
use crate::protocol::Fault;
use asl_value::{Map, Value};

/// The error of a refusal: `S3.NoSuchKeyException`; `Ec2.Ec2Exception` for a code that the service's model does not name.
pub fn error_name(service: &Service, fault: &Fault) -> String {
    let name = match service.error(&fault.code) {
        Some(error) => error.exception.to_string(),
        None => format!("{}Exception", service.prefix),
    };
    format!("{}.{name}", service.prefix)
}

/// The cause of a refusal: its message, then service, status and the numbers of the request.
pub fn cause(service: &Service, fault: &Fault) -> String {
    let mut details = format!("Service: {}, Status Code: {}", service.prefix, fault.status);
    details += &format!(", Request ID: {}", fault.request_id.as_deref().unwrap_or("null"));
    if let Some(extended) = &fault.extended_request_id {
        details += &format!(", Extended Request ID: {extended}");
    }
    let message = if fault.message.is_empty() { "null" } else { &fault.message };
    format!("{message} ({details})")
}

/// A member's name in parameters and results of optimized integrations.
fn optimized_name(member: &Member) -> String {
    let mut name = member.name.to_string();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

/// The parameters of an optimized integration, in the names of AWS SDK integrations. What the model does not have stays as
/// it is, and is refused by [`crate::check`].
pub fn from_optimized(service: &Service, operation: &Operation, parameters: &Value) -> Value {
    let rename = |member: &Member, key: &str| (optimized_name(member) == *key).then(|| member.key.to_string());
    renamed(service, operation.input, parameters, &rename)
}

/// The result of an operation in the names of optimized integrations.
pub fn to_optimized(service: &Service, operation: &Operation, result: &Value) -> Value {
    let rename = |member: &Member, key: &str| (*member.key == *key).then(|| optimized_name(member));
    renamed(service, operation.output, result, &rename)
}

fn renamed(service: &Service, ty: Type, value: &Value, rename: &dyn Fn(&Member, &str) -> Option<String>) -> Value {
    match (service.shape(ty), value) {
        (Some(Shape::Structure(structure)), Value::Object(given)) => {
            let member = |key: &str, value: &Value| {
                let found = structure.members.iter().find_map(|m| Some((rename(m, key)?, m.ty)));
                match found {
                    Some((name, ty)) => (name, renamed(service, ty, value, rename)),
                    None => (key.to_owned(), value.clone()),
                }
            };
            Value::from(given.iter().map(|(key, value)| member(key, value)).collect::<Map>())
        }
        (Some(Shape::List { item, .. }), Value::Array(items)) => {
            items.iter().map(|i| renamed(service, *item, i, rename)).collect()
        }
        (Some(Shape::Map { value: of, .. }), Value::Object(entries)) => {
            Value::from(entries.iter().map(|(k, v)| (k.clone(), renamed(service, *of, v, rename))).collect::<Map>())
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service;

    #[test]
    fn optimized_names_go_and_come_back() {
        let dynamodb = service("dynamodb").unwrap();
        let get = dynamodb.operation("getItem").unwrap();
        let put = dynamodb.operation("putItem").unwrap();
        let optimized: Value =
            r#"{"TableName":"T","Item":{"b":{"BOOL":true},"l":{"L":[{"NULL":true}]}},"Odd":1}"#.parse().unwrap();
        let sdk = from_optimized(&dynamodb, put, &optimized).to_string();
        assert_eq!(sdk, r#"{"TableName":"T","Item":{"b":{"Bool":true},"l":{"L":[{"Nul":true}]}},"Odd":1}"#);
        let result: Value = r#"{"Item":{"b":{"Bool":true},"s":{"Ss":["a"]}}}"#.parse().unwrap();
        assert_eq!(
            to_optimized(&dynamodb, get, &result).to_string(),
            r#"{"Item":{"b":{"BOOL":true},"s":{"SS":["a"]}}}"#
        );
    }
}
