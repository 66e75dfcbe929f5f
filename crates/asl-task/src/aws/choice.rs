//! What runs the tasks of a service: the section `[backends]` of the project file.

use asl_aws::model;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What runs the tasks of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The program itself, where it has the service.
    Embedded,
    /// AWS, or what `[aws]` names in its place.
    Aws,
    /// Mocks only.
    Mock,
    /// Nothing: its tasks are refused.
    Off,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Choice::Embedded => "embedded",
            Choice::Aws => "aws",
            Choice::Mock => "mock",
            Choice::Off => "off",
        })
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Choice, String> {
        let all = [Choice::Embedded, Choice::Aws, Choice::Mock, Choice::Off];
        let found = all.into_iter().find(|choice| choice.to_string() == text);
        found.ok_or_else(|| format!("`{text}` is none of embedded, aws, mock, off"))
    }
}

/// What is chosen for each service: `dynamodb`, `aws-sdk:rekognition`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices(BTreeMap<String, Choice>);

/// A choice that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ChoiceError {
    /// The service as it was written.
    pub service: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

/// The services that optimized integrations are named after.
const OPTIMIZED: [&str; 20] = [
    "apigateway",
    "athena",
    "batch",
    "bedrock",
    "codebuild",
    "databrew",
    "dynamodb",
    "ecs",
    "eks",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "events",
    "glue",
    "http",
    "lambda",
    "mediaconvert",
    "sagemaker",
    "sns",
    "sqs",
];
/// What the program has itself.
const EMBEDDED: [&str; 8] =
    ["dynamodb", "sns", "sqs", "lambda", "http", "aws-sdk:dynamodb", "aws-sdk:sns", "aws-sdk:sqs"];

impl Choices {
    /// The choices by service.
    ///
    /// # Errors
    /// Services that nobody has, and `embedded` for one that the program does not have.
    pub fn new(choices: BTreeMap<String, Choice>) -> Result<Choices, Vec<ChoiceError>> {
        let wrong: Vec<_> = choices.iter().filter_map(|(service, choice)| problem(service, *choice)).collect();
        if wrong.is_empty() { Ok(Choices(choices)) } else { Err(wrong) }
    }

    /// Sets one choice, over what it was before.
    ///
    /// # Errors
    /// As [`Choices::new`].
    pub fn set(&mut self, service: &str, choice: Choice) -> Result<(), ChoiceError> {
        match problem(service, choice) {
            Some(error) => Err(error),
            None => {
                self.0.insert(service.to_owned(), choice);
                Ok(())
            }
        }
    }

    /// The same, with one choice over what it was before.
    ///
    /// # Errors
    /// As [`Choices::new`].
    pub fn with(mut self, service: &str, choice: Choice) -> Result<Choices, ChoiceError> {
        self.set(service, choice)?;
        Ok(self)
    }

    /// The same with mocks where AWS was chosen, and for HTTP tasks unless they are chosen by name: for tests, which call
    /// nothing outside.
    pub fn mocked(&self) -> Choices {
        let mocked = |choice: Choice| if choice == Choice::Aws { Choice::Mock } else { choice };
        let mut all: BTreeMap<_, _> =
            self.0.iter().map(|(service, choice)| (service.clone(), mocked(*choice))).collect();
        all.entry("http".to_owned()).or_insert(Choice::Mock);
        Choices(all)
    }

    /// What is chosen for a service. An AWS SDK integration goes where the optimized one of the same service goes, unless
    /// it has a line of its own.
    pub fn of(&self, service: &str, sdk: bool) -> Option<Choice> {
        let own = if sdk { self.0.get(&format!("aws-sdk:{service}")) } else { None };
        own.or_else(|| self.0.get(service)).copied()
    }
}

fn problem(service: &str, choice: Choice) -> Option<ChoiceError> {
    let wrong =
        |problem: String, hint: &str| Some(ChoiceError { service: service.to_owned(), problem, hint: hint.to_owned() });
    let known = match service.strip_prefix("aws-sdk:") {
        Some(sdk) => model::service(sdk).is_some(),
        None => OPTIMIZED.contains(&service) || service == "states",
    };
    if !known {
        let plain = service.strip_prefix("aws-sdk:").unwrap_or(service);
        let hint = match model::service(plain).map(|_| plain).or_else(|| model::resource_of(plain)) {
            Some(name) => format!("it is called `\"aws-sdk:{name}\"`"),
            None => "write it as a Resource has it: `dynamodb`, or `\"aws-sdk:rekognition\"`".to_owned(),
        };
        return wrong(format!("`{service}` is no service"), &hint);
    }
    if (service, choice) == ("http", Choice::Aws) {
        let hint = "declare [connections.NAME], and leave this line out or say \"embedded\"";
        return wrong("HTTP tasks are not sent by AWS, but by this program".to_owned(), hint);
    }
    if choice == Choice::Embedded && !EMBEDDED.contains(&service) {
        return wrong(format!("`{service}` is not embedded"), "use \"aws\", \"mock\" or \"off\"");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_goes_where_its_line_says() {
        let mut choices = Choices::default();
        choices.set("dynamodb", Choice::Aws).unwrap();
        choices.set("aws-sdk:sns", Choice::Off).unwrap();
        assert_eq!(
            (choices.of("dynamodb", false), choices.of("dynamodb", true)),
            (Some(Choice::Aws), Some(Choice::Aws))
        );
        assert_eq!((choices.of("sns", false), choices.of("sns", true)), (None, Some(Choice::Off)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let mut choices = Choices::default();
        let hint = |error: ChoiceError| format!("{error}: {}", error.hint);
        let told = hint(choices.set("rekognition", Choice::Aws).unwrap_err());
        assert_eq!(told, "`rekognition` is no service: it is called `\"aws-sdk:rekognition\"`");
        let told = hint(choices.set("aws-sdk:stepfunctions", Choice::Aws).unwrap_err());
        assert_eq!(told, "`aws-sdk:stepfunctions` is no service: it is called `\"aws-sdk:sfn\"`");
        assert!(choices.set("glue", Choice::Embedded).unwrap_err().hint.contains("\"aws\""));
        assert!(choices.set("nonsense", Choice::Off).is_err());
    }
}
