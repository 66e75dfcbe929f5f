//! The shape of `asl.toml`.

use asl_task::embedded::{QueueSpec, TableSpec, TopicSpec};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
    #[serde(default)]
    pub(super) substitutions: BTreeMap<String, Substitution>,
    #[serde(default)]
    pub(super) functions: BTreeMap<String, Function>,
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableSpec>,
    #[serde(default)]
    pub(super) topics: BTreeMap<String, TopicSpec>,
    #[serde(default)]
    pub(super) queues: BTreeMap<String, QueueSpec>,
    #[serde(default)]
    pub(super) buckets: BTreeMap<String, BucketSpec>,
}

/// A folder that stands for an S3 bucket: where a Distributed Map reads its items and writes its results.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct BucketSpec {
    /// The folder, relative to the project file. It must exist.
    pub(super) path: PathBuf,
}

/// A function, in the words of AWS where it has one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Function {
    pub(super) runtime: Option<Runtime>,
    pub(super) file: Option<PathBuf>,
    pub(super) handler: Option<String>,
    pub(super) url: Option<String>,
    /// Seconds.
    pub(super) timeout: Option<u64>,
    /// MB.
    pub(super) memory_size: Option<u32>,
    pub(super) concurrency: Option<usize>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
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
