//! A client as botocore is one: it checks parameters by the API's model before it sends them, and tells answers and refusals in
//! botocore's words. It speaks HTTP to a server of this process, over a socket.

use asl_server::wire::{Member, Shape, Span, table};
use asl_value::{Map, Value};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// How a call ended.
pub(crate) enum Called {
    /// With a response and its HTTP status.
    Answered(Map, u64),
    /// With an exception of the service, as `e.response` has it.
    Refused { code: String, message: String, more: Map, status: u64 },
    /// Before anything was sent: botocore's `ParamValidationError`.
    Invalid(String),
}

/// `start_execution` as `StartExecution`.
pub(crate) fn operation(method: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    method.split('_').filter(|word| !word.is_empty()).map(capital).collect()
}

/// Calls an operation.
pub(crate) fn call(server: SocketAddr, operation: &str, params: &Map) -> Result<Called, String> {
    let facts = table().operations.get(operation).ok_or_else(|| format!("there is no operation {operation}"))?;
    let mut wrong = Vec::new();
    members(&facts.input, params, "", &mut wrong);
    if !wrong.is_empty() {
        return Ok(Called::Invalid(format!("Parameter validation failed:\n{}", wrong.join("\n"))));
    }
    let (status, body) =
        post(server, operation, &Value::from(params.clone()).to_string()).map_err(|e| e.to_string())?;
    let body: Value = body.parse().map_err(|e| format!("{operation}: {e} in {body}"))?;
    let mut body = body.as_object().cloned().unwrap_or_default();
    if status == 200 {
        return Ok(Called::Answered(body, status));
    }
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let named = text(body.remove("__type"));
    let code = named.rsplit('#').next().unwrap_or_default().to_owned();
    let message = text(body.get("message").cloned());
    Ok(Called::Refused { code, message, more: body, status })
}

fn post(server: SocketAddr, operation: &str, body: &str) -> std::io::Result<(u64, String)> {
    let mut stream = TcpStream::connect(server)?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: sync-states.us-east-1.amazonaws.com\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        match line.split_once(' ') {
            _ if line.is_empty() => break,
            Some(("HTTP/1.1", rest)) => status = rest.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length:") => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// botocore's own checks: what is required, types, and the least lengths and values; not the most, enums and patterns.
fn members(known: &[Member], given: &Map, path: &str, wrong: &mut Vec<String>) {
    let place = if path.is_empty() { "input" } else { path };
    for member in known.iter().filter(|member| member.required && !given.contains_key(member.name)) {
        wrong.push(format!("Missing required parameter in {place}: \"{}\"", member.name));
    }
    for (name, value) in given.iter() {
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        match known.iter().find(|member| member.name == &**name) {
            Some(member) => shape(&member.shape, value, &path, wrong),
            None => {
                let names: Vec<&str> = known.iter().map(|member| member.name).collect();
                let names = names.join(", ");
                wrong.push(format!("Unknown parameter in {place}: \"{name}\", must be one of: {names}"));
            }
        }
    }
}

fn shape(shape_of: &Shape, value: &Value, path: &str, wrong: &mut Vec<String>) {
    let kinds = match (shape_of, value) {
        (Shape::String(..) | Shape::Enum(_), Value::String(_)) | (Shape::Boolean, Value::Bool(_)) | (Shape::Any, _) => {
            ""
        }
        (Shape::Integer(_) | Shape::Long(_), Value::Number(number)) if number.is_integer() => "",
        (Shape::Float(_) | Shape::Timestamp, Value::Number(_)) => "",
        (Shape::List(..), Value::Array(_)) | (Shape::Map(_) | Shape::Structure(_), Value::Object(_)) => "",
        (Shape::String(..) | Shape::Enum(_), _) => "<class 'str'>",
        (Shape::Boolean, _) => "<class 'bool'>",
        (Shape::Integer(_) | Shape::Long(_), _) => "<class 'int'>",
        (Shape::Float(_), _) => "<class 'float'>, <class 'decimal.Decimal'>, <class 'int'>",
        (Shape::List(..), _) => "<class 'list'>, <class 'tuple'>",
        (Shape::Map(_) | Shape::Structure(_), _) => "<class 'dict'>",
        (Shape::Timestamp, _) => "<class 'datetime.datetime'>, timestamp-string",
    };
    if !kinds.is_empty() {
        let (shown, class) = python(value);
        return wrong.push(format!(
            "Invalid type for parameter {path}, value: {shown}, type: <class '{class}'>, valid types: {kinds}"
        ));
    }
    match (shape_of, value) {
        (Shape::String(Span { min: Some(min), .. }, _), Value::String(text))
            if (text.chars().count() as i64) < *min =>
        {
            let length = text.chars().count();
            wrong.push(format!("Invalid length for parameter {path}, value: {length}, valid min length: {min}"));
        }
        (Shape::Integer(span) | Shape::Long(span) | Shape::Float(span), Value::Number(number)) => {
            if let Some(min) = span.min.filter(|min| number.as_f64() < *min as f64) {
                wrong.push(format!("Invalid value for parameter {path}, value: {value}, valid min value: {min}"));
            }
        }
        (Shape::List(span, of), Value::Array(items)) => {
            if let Some(min) = span.min.filter(|min| (items.len() as i64) < *min) {
                let length = items.len();
                wrong.push(format!("Invalid length for parameter {path}, value: {length}, valid min length: {min}"));
            }
            for (at, item) in items.iter().enumerate() {
                shape(of, item, &format!("{path}[{at}]"), wrong);
            }
        }
        (Shape::Structure(name), Value::Object(map)) => members(&table().structures[name], map, path, wrong),
        _ => {}
    }
}

/// A value as Python prints it, and its class.
fn python(value: &Value) -> (String, &'static str) {
    match value {
        Value::Null => ("None".to_owned(), "NoneType"),
        Value::Bool(true) => ("True".to_owned(), "bool"),
        Value::Bool(false) => ("False".to_owned(), "bool"),
        Value::Number(number) if number.is_integer() => (value.to_string(), "int"),
        Value::Number(_) => (value.to_string(), "float"),
        Value::String(text) => (text.to_string(), "str"),
        Value::Array(_) => (value.to_string(), "list"),
        Value::Object(_) => (value.to_string(), "dict"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_refused_as_botocore_does() {
        let table = [
            (
                "tag_resource",
                r#"{"resourceArn": "a", "tags": null}"#,
                "Invalid type for parameter tags, value: None, type: <class 'NoneType'>, valid types: <class 'list'>, <class 'tuple'>",
            ),
            (
                "tag_resource",
                r#"{"resourceArn": "a", "tags": [{"key": ""}]}"#,
                "Invalid length for parameter tags[0].key, value: 0, valid min length: 1",
            ),
            (
                "list_activities",
                r#"{"maxResults": -1}"#,
                "Invalid value for parameter maxResults, value: -1, valid min value: 0",
            ),
            ("describe_activity", "{}", "Missing required parameter in input: \"activityArn\""),
            (
                "list_activities",
                r#"{"maxResult": 1}"#,
                "Unknown parameter in input: \"maxResult\", must be one of: maxResults, nextToken",
            ),
        ];
        for (method, params, told) in table {
            let params: Value = params.parse().unwrap();
            let mut wrong = Vec::new();
            members(&super::table().operations[&*operation(method)].input, params.as_object().unwrap(), "", &mut wrong);
            assert_eq!(wrong, [told], "{method}");
        }
    }
}
