//! The shape of `asl.toml`.

use super::retention::Retention;
use asl_task::aws::Choice;
use asl_task::embedded::{ActivitySpec, BusSpec, QueueSpec, RuleSpec, TableSpec, TopicSpec};
use asl_task::http::ConnectionSpec;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The project file of asl: what the `${...}` of definitions stand for, and what their tasks call.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The region that ARNs show.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9-]+$")))]
    pub(super) region: Option<String>,
    /// The account that ARNs show.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9]{12}$")))]
    pub(super) account: Option<String>,
    /// A SAM or CloudFormation template, which this file adds to.
    pub(super) template: Option<TemplateSpec>,
    /// What each `${Key}` of a definition stands for.
    #[serde(default)]
    pub(super) substitutions: BTreeMap<String, Substitution>,
    /// The functions that tasks call, by name.
    #[serde(default)]
    pub(super) functions: BTreeMap<String, Function>,
    /// The tables, by name.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableSpec>,
    /// The topics, by name.
    #[serde(default)]
    pub(super) topics: BTreeMap<String, TopicSpec>,
    /// The queues, by name.
    #[serde(default)]
    pub(super) queues: BTreeMap<String, QueueSpec>,
    /// The buses, by name, beside `default`.
    #[serde(default)]
    pub(super) buses: BTreeMap<String, BusSpec>,
    /// The rules of buses, by name.
    #[serde(default)]
    pub(super) rules: BTreeMap<String, RuleSpec>,
    /// The activities, by name: workers ask for their tasks.
    #[serde(default)]
    pub(super) activities: BTreeMap<String, ActivitySpec>,
    /// The buckets, by name: for a Distributed Map's ItemReader and ResultWriter.
    #[serde(default)]
    pub(super) buckets: BTreeMap<String, BucketSpec>,
    /// How AWS is reached, by the services that `backends` say.
    pub(super) aws: Option<AwsSpec>,
    /// What runs the tasks of a service: `dynamodb`, `"aws-sdk:rekognition"`.
    #[serde(default)]
    pub(super) backends: BTreeMap<String, Choice>,
    /// What HTTP tasks may reach.
    #[serde(default)]
    pub(super) http: HttpSpec,
    /// How HTTP tasks authorize themselves, by the name in their `ConnectionArn`.
    #[serde(default)]
    pub(super) connections: BTreeMap<String, ConnectionSpec>,
    /// How long workers keep executions that have ended; for ever when absent.
    pub(super) retention: Option<Retention>,
    /// What `asl serve` is told.
    pub(super) server: Option<ServerSpec>,
}

/// What `asl serve` is told.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ServerSpec {
    /// A file of access keys, as `~/.aws/credentials` is one, relative to the project file: only requests that are signed with one of
    /// them are answered.
    pub(super) credentials: Option<PathBuf>,
    /// A PEM file with the certificate that clients are shown, relative to the project file; the server then talks TLS. `Key` has its key.
    pub(super) certificate: Option<PathBuf>,
    /// A PEM file with the certificate's key, relative to the project file.
    pub(super) key: Option<PathBuf>,
    /// Whose quotas of requests: none when absent.
    #[serde(rename = "Quotas")]
    pub(super) whose_quotas: Option<WhoseQuotas>,
    /// Quotas of single operations, by their names: over those of `Quotas`.
    #[serde(default, rename = "quotas")]
    pub(super) quotas: BTreeMap<String, QuotaSpec>,
}

/// Whose quotas of requests a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) enum WhoseQuotas {
    /// AWS's own, in its largest regions.
    #[serde(rename = "aws")]
    Aws,
}

/// How many requests of an operation are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct QuotaSpec {
    /// At once, after a rest.
    pub bucket: u32,
    /// Each second, for long.
    pub per_second: u32,
}

/// How AWS is reached, or what stands in for it. What is not given is looked up where AWS's own tools do: in the environment
/// and in `~/.aws`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct AwsSpec {
    /// The region of calls: `eu-central-1`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9-]+$")))]
    pub(super) region: Option<String>,
    /// The profile of `~/.aws/config` that has the credentials.
    pub(super) profile: Option<String>,
    /// The address of all services: `http://127.0.0.1:5000`.
    pub(super) endpoint_url: Option<String>,
    /// The addresses of single services, by their names in resources: `s3 = "http://127.0.0.1:9000"`.
    #[serde(default, rename = "endpoints")]
    pub(super) endpoints: BTreeMap<String, String>,
    /// How long one exchange may take: 1 to 900 seconds, 60 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 900)))]
    pub(super) timeout: Option<u64>,
    /// How often a call is sent at most when it fails for a while: 1 to 10, 3 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10)))]
    pub(super) max_attempts: Option<u32>,
    /// The longest answer in bytes, 8 MiB when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub(super) max_response_bytes: Option<usize>,
}

/// What HTTP tasks may reach besides public addresses over TLS.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct HttpSpec {
    /// Hosts that may have private addresses, and be reached without TLS: `"127.0.0.1:8080"`, `"intranet.example"`.
    #[serde(default)]
    pub(super) private_hosts: Vec<String>,
}

/// A SAM or CloudFormation template. What the project file declares under the same name, or logical id, comes before it.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct TemplateSpec {
    /// The template, relative to the project file.
    pub(super) file: PathBuf,
    /// The stack's name, which the names of resources begin with: the folder's when absent.
    pub(super) stack_name: Option<String>,
    /// Values of the template's parameters, over their defaults.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, Setting>,
    /// What other stacks export, for `Fn::ImportValue`.
    #[serde(default)]
    pub(super) imports: BTreeMap<String, Setting>,
}

/// A text; a number, true and false are written out.
#[derive(Debug)]
pub(super) struct Setting(pub(super) String);

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Setting, D::Error> {
        match Substitution::deserialize(from)? {
            Substitution::Text(text) => Ok(Setting(text)),
            Substitution::Arn(_) => Err(de::Error::custom("expected a text, a number, true or false")),
        }
    }
}

/// A folder that stands for an S3 bucket: where a Distributed Map reads its items and writes its results.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct BucketSpec {
    /// The folder, relative to the project file. It must exist.
    pub(super) path: PathBuf,
}

/// A function: a file with its runtime, a command, or a URL.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Function {
    /// What runs it; not with `Url`.
    pub(super) runtime: Option<Runtime>,
    /// The source file, or a folder; for `provided`, the executable. Relative to the project file.
    pub(super) file: Option<PathBuf>,
    /// The function in the file: `lambda_handler` (Python) or `handler` (Node) when absent; `module.function` in a folder.
    pub(super) handler: Option<String>,
    /// Instead of `File`: a program and its arguments, started for each invocation: event on stdin, result on stdout.
    pub(super) command: Option<Vec<String>>,
    /// Instead of `File`: a function elsewhere, invoked by POST of the payload.
    pub(super) url: Option<String>,
    /// How long one invocation may take: 1 to 900 seconds, 3 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 900)))]
    pub(super) timeout: Option<u64>,
    /// What the function is told its memory is, in MB, 128 when absent. Not enforced.
    pub(super) memory_size: Option<u32>,
    /// How many invocations at the same time, at most: 1 to 1000, 4 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub(super) concurrency: Option<usize>,
    /// Environment variables, over those of `EnvironmentFile` and of `asl` itself.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// A file with a line `NAME=value` for each variable, relative to the project file.
    pub(super) environment_file: Option<PathBuf>,
    /// Whether the function sees the environment of `asl` itself, with the AWS credentials of the shell in it: true when absent.
    pub(super) inherit_environment: Option<bool>,
}

/// `python`, `node`, `provided`, or one of AWS's identifiers of them (`python3.13`, `nodejs22.x`, `provided.al2023`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Python,
    Node,
    Provided,
}

impl<'de> Deserialize<'de> for Runtime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Runtime, D::Error> {
        let name = String::deserialize(from)?;
        match name.as_str() {
            "python" => Ok(Runtime::Python),
            "node" => Ok(Runtime::Node),
            "provided" => Ok(Runtime::Provided),
            aws if aws.starts_with("python3") => Ok(Runtime::Python),
            aws if aws.starts_with("nodejs") => Ok(Runtime::Node),
            aws if aws.starts_with("provided.") => Ok(Runtime::Provided),
            _ => Err(de::Error::unknown_variant(&name, &["python", "node", "provided"])),
        }
    }
}

/// What a `${Key}` stands for.
#[derive(Debug)]
pub(super) enum Substitution {
    /// The text itself.
    Text(String),
    /// `{ Arn = "NAME" }`: the ARN of a declared function, table, topic or queue.
    Arn(String),
}

impl<'de> Deserialize<'de> for Substitution {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Substitution, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "PascalCase")]
        struct ArnOf {
            arn: String,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Substitution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false, or { Arn = \"the name of something declared\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Substitution, E> {
                Ok(Substitution::Text(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Substitution, E> {
                Ok(Substitution::Text(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Substitution, E> {
                Ok(Substitution::Text(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Substitution, E> {
                Ok(Substitution::Text(value.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Substitution, A::Error> {
                let of = ArnOf::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Substitution::Arn(of.arn))
            }
        }
        from.deserialize_any(Either)
    }
}
