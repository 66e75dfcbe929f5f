//! `apigateway:invoke`: a request to an API behind API Gateway (AWS developer guide: "Call API Gateway REST APIs").

use super::{Aws, not_started, role, unanswered};
use crate::backend::Missing;
use crate::http::{is_blocked, shown};
use crate::integration::{Call, Integration, Mode};
use crate::runner::Runner;
use asl_aws::ApiRequest;
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const FIELDS: [&str; 9] = [
    "ApiEndpoint",
    "Method",
    "Stage",
    "Path",
    "Headers",
    "QueryParameters",
    "RequestBody",
    "AllowNullValues",
    "AuthType",
];

/// The integration.
#[derive(Debug)]
pub(super) struct Invoke {
    pub(super) aws: Aws,
}

#[async_trait]
impl Integration for Invoke {
    fn title(&self) -> String {
        "AWS, apigateway:invoke".to_owned()
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Aws("apigateway".into())
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        let names = parameters.map(Payload::names).unwrap_or_default();
        match names.into_iter().find(|name| !FIELDS.contains(name)) {
            Some(name) => Err(Missing {
                message: format!("The field \"{name}\" is not supported by Step Functions"),
                hint: Some(format!("its parameters are {}", FIELDS.join(", "))),
            }),
            None => Ok(()),
        }
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let request = request(call.parameters).map_err(|why| not_started(call.parameters, &[why]))?;
        let answered = self.aws.client().call_api(&request, role(call.role_arn).as_ref()).await;
        let response = answered.map_err(|error| unanswered("ApiGateway", error, call.parameters))?;
        if !(200..300).contains(&response.status) {
            let body = String::from_utf8_lossy(&response.body).into_owned();
            return Err(Failure::new(format!("ApiGateway.{}", response.status), body));
        }
        Ok(shown(response.status, &response.headers, &response.body))
    }
}

/// The request of a task's parameters, or what of them cannot be.
fn request(parameters: &Value) -> Result<ApiRequest, String> {
    let required = |field: &str| {
        let found = parameters[field].as_str();
        found.ok_or_else(|| format!("The field '{field}' is required but was missing"))
    };
    let method = required("Method")?;
    let method = METHODS.into_iter().find(|known| *known == method);
    let auth = parameters["AuthType"].as_str().unwrap_or("NO_AUTH");
    if !["NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY"].contains(&auth) {
        return Err(format!(
            "The value '{auth}' of the field 'AuthType' is none of NO_AUTH, IAM_ROLE, RESOURCE_POLICY"
        ));
    }
    let parts = [&parameters["Stage"], &parameters["Path"]];
    let parts = parts.into_iter().filter_map(Value::as_str).map(|part| part.trim_start_matches('/'));
    let path: String = parts.filter(|part| !part.is_empty()).map(|part| format!("/{part}")).collect();
    let allows_null = parameters["AllowNullValues"].as_bool() == Some(true);
    let body = if allows_null { parameters["RequestBody"].clone() } else { without_null(&parameters["RequestBody"]) };
    let body = match &body {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    };
    let mut headers = pairs(parameters, "Headers", allows_null)?;
    if let Some((name, _)) = headers.iter().find(|(name, _)| is_blocked(name)) {
        return Err(format!("The header '{name}' cannot be set"));
    }
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    for (name, value) in &headers {
        if name.is_empty() || !name.bytes().all(letter) || value.bytes().any(|b| b < b' ' && b != b'\t') {
            return Err(format!("The header '{name}' is not one that can be sent"));
        }
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    let request = ApiRequest {
        method: method.ok_or_else(|| format!("The value of the field 'Method' is none of {}", METHODS.join(", ")))?,
        host: required("ApiEndpoint")?.to_owned(),
        path: if path.is_empty() { "/".to_owned() } else { path },
        query: pairs(parameters, "QueryParameters", allows_null)?,
        headers,
        body,
        signed: auth != "NO_AUTH",
    };
    if request.region().is_none() {
        let form = "API_ID.execute-api.REGION.amazonaws.com";
        return Err(format!("The value '{}' of the field 'ApiEndpoint' is not of the form {form}", request.host));
    }
    Ok(request)
}

/// The members of a field whose values are lists.
fn pairs(parameters: &Value, field: &str, allows_null: bool) -> Result<Vec<(String, String)>, String> {
    let members = match &parameters[field] {
        Value::Null => return Ok(Vec::new()),
        Value::Object(members) => members,
        _ => return Err(format!("The value for the field '{field}' must be a JSON object")),
    };
    let mut pairs = Vec::new();
    for (name, values) in members.iter() {
        let values = match values {
            Value::Null if !allows_null => continue,
            Value::Array(values) => values,
            _ => return Err(format!("The value for the field '{name}' of '{field}' must be an array")),
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        pairs.extend(values.iter().map(|value| (name.to_string(), text(value))));
    }
    Ok(pairs)
}

/// A value without the members that are null.
fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, member)| !member.is_null());
            Value::from(Map::from_iter(kept.map(|(name, member)| (&**name, without_null(member)))))
        }
        Value::Array(items) => Value::from(items.iter().map(without_null).collect::<Vec<_>>()),
        other => other.clone(),
    }
}
