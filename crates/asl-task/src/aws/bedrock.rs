//! `bedrock:invokeModel`: the operation of `bedrockruntime`, with a body that is JSON.

use super::optimized::{Action, Optimized};
use super::{Aws, not_started};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode};
use crate::runner::Runner;
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;

const RUNTIME: Optimized = Optimized {
    name: "bedrock",
    resource: "bedrockruntime",
    prefix: "Bedrock",
    client: "AmazonBedrockRuntime",
    base: "AmazonBedrockRuntime",
};

/// The fields that name a place in S3: AWS reads and writes it itself, which is not done here.
const IN_S3: [(&str, &str); 2] = [
    ("Input", "read the object with aws-sdk:s3:getObject before, and give its content as `Body`"),
    ("Output", "write the result with aws-sdk:s3:putObject after"),
];

/// The integration.
#[derive(Debug)]
pub(super) struct InvokeModel(Action);

impl InvokeModel {
    pub(super) fn find(aws: &Aws) -> Result<InvokeModel, Missing> {
        Action::of(aws, &RUNTIME, "invokeModel").map(InvokeModel)
    }
}

#[async_trait]
impl Integration for InvokeModel {
    fn title(&self) -> String {
        format!("AWS, {:?}", self.0)
    }

    fn runner(&self, parameters: Option<&Payload>) -> Runner {
        self.0.runner(parameters)
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        let names = parameters.map(Payload::names).unwrap_or_default();
        match IN_S3.into_iter().find(|(field, _)| names.contains(field)) {
            Some((field, instead)) => Err(Missing {
                message: format!("bedrock:invokeModel with `{field}` in S3 is not carried out here"),
                hint: Some(instead.to_owned()),
            }),
            None => Ok(()),
        }
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let mut given: Map = call.parameters.as_object().cloned().unwrap_or_default();
        for (field, instead) in IN_S3 {
            if given.get(field).is_some_and(|value| !value.is_null()) {
                let why = format!("The field '{field}' is not supported here: {instead}");
                return Err(not_started(call.parameters, &[why]));
            }
        }
        // The body is the text of the JSON; a text may be such a text already.
        if let Some(body) = given.get("Body").filter(|body| !body.is_null() && body.as_str().is_none()) {
            let text = body.to_string();
            given.insert("Body", text);
        }
        if given.get("ContentType").is_none_or(Value::is_null) {
            given.insert("ContentType", "application/json");
        }
        let answered = self.0.ask("invokeModel", &Value::from(given), call).await?;
        let body = match answered["Body"].as_str() {
            Some(text) => text.parse().unwrap_or_else(|_| answered["Body"].clone()),
            None => answered["Body"].clone(),
        };
        Ok(Value::from_iter([("Body", body), ("ContentType", answered["ContentType"].clone())]))
    }
}
