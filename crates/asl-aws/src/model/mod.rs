//! AWS's API model: what each operation of each service takes, gives and is sent as.
//!
//! The facts are botocore's (Apache-2.0), compacted by `tools/aws_model.py` into `model.bin`. The table is part of the
//! program; [`service`] unpacks one service when it is asked for the first time, and keeps it.

mod names;
mod read;
mod table;

pub use names::member_name;
pub use table::{Partition, entry_names, partition_of, resource_of, service, version};

use std::sync::Arc;

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// JSON in the body, the operation in a header; versions 1.0 and 1.1 differ in the content type.
    Json,
    /// JSON in the body, the rest in path, query and headers.
    RestJson,
    /// XML in the body, the rest in path, query and headers.
    RestXml,
    /// A form in the body, XML in the answer.
    Query,
    /// As [`Protocol::Query`], with EC2's own lists.
    Ec2,
    /// CBOR in the body, the operation in the path.
    Cbor,
}

/// A service: its facts, its operations, and the shapes those are made of.
#[derive(Debug)]
pub struct Service {
    /// The name in a resource ARN, `dynamodb`: [`Service::prefix`] in lower case.
    pub resource: Arc<str>,
    /// The name in the AWS command line and in botocore, `stepfunctions` for `sfn`.
    pub command: Arc<str>,
    /// AWS's id of the service, `SFN`.
    pub id: Arc<str>,
    /// The name in the errors of AWS SDK integrations, `Sfn`.
    pub prefix: Arc<str>,
    /// The first part of host names, `states`.
    pub endpoint_prefix: Arc<str>,
    /// The name in the scope of a signature.
    pub signing_name: Arc<str>,
    /// The protocols it speaks, the one to use first.
    pub protocols: Vec<Protocol>,
    /// `1.0` or `1.1`, for [`Protocol::Json`].
    pub json_version: Arc<str>,
    /// What stands before the operation in `X-Amz-Target`, or in the path of [`Protocol::Cbor`].
    pub target_prefix: Arc<str>,
    /// `2016-11-23`
    pub api_version: Arc<str>,
    /// The name space of the root element of [`Protocol::RestXml`], or empty.
    pub xml_namespace: Arc<str>,
    /// True for a service that spoke [`Protocol::Query`] before, and is asked for the error codes of that time.
    pub query_compatible: bool,
    /// True where requests carry a bearer token instead of a signature.
    pub bearer: bool,
    /// Where it is: the first rule that fits a region holds.
    pub endpoints: Vec<EndpointRule>,
    /// The errors that its model names.
    pub errors: Vec<ErrorShape>,
    /// Its operations, sorted by name.
    pub operations: Vec<Operation>,
    pub(crate) shapes: Vec<Shape>,
}

/// Where a service is found, in a region, a partition, or anywhere.
#[derive(Debug)]
pub struct EndpointRule {
    /// A region, `partition NAME`, or empty: everywhere.
    pub scope: Arc<str>,
    /// The host, with `{region}` and `{suffix}` in it.
    pub host: Arc<str>,
    /// The name to sign with, where it is not the service's usual one; else empty.
    pub signing_name: Arc<str>,
    /// The region to sign for, where it is not the region asked for; else empty.
    pub signing_region: Arc<str>,
}

/// An error that a service's model names.
#[derive(Debug)]
pub struct ErrorShape {
    /// The name of its shape, `DBInstanceNotFoundFault`.
    pub shape: Arc<str>,
    /// Its code on the wire, `DBInstanceNotFound`.
    pub code: Arc<str>,
    /// The name of its class in the Java SDK 2, `DbInstanceNotFoundException`.
    pub exception: Arc<str>,
    /// The HTTP status it comes with; 0 when the model does not say.
    pub status: u16,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// `PutItem`
    pub name: Arc<str>,
    /// `GET`, `POST` …
    pub method: &'static str,
    /// The path with `{Labels}` and `{Rest+}`, and a constant query.
    pub uri: Arc<str>,
    /// What stands before the host, with `{Labels}`; or empty.
    pub host_prefix: Arc<str>,
    /// What it is, beyond its shapes.
    pub traits: Traits,
    /// The parameter that names the checksum's algorithm; or empty.
    pub checksum_member: Arc<str>,
    /// The root element of the request, for [`Protocol::RestXml`].
    pub input_name: Arc<str>,
    /// The name space of that element, or empty.
    pub input_namespace: Arc<str>,
    /// The element that holds the result, for [`Protocol::Query`]; or empty.
    pub result_wrapper: Arc<str>,
    /// What it takes; [`Type::Document`] for nothing.
    pub(crate) input: Type,
    /// What it gives; [`Type::Document`] for nothing.
    pub(crate) output: Type,
}

/// What an operation is, beyond its shapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Anyone may call it: it is not signed.
    pub unsigned: bool,
    /// Its body is not part of the signature.
    pub unsigned_body: bool,
    /// Its body must come with a checksum.
    pub checksum_required: bool,
    /// The model says that it may be repeated, or that it only reads.
    pub idempotent: bool,
    /// The service must be asked first where it is.
    pub discovery: bool,
}

/// The type of a member, an element or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
    /// A number of 32 bits with a fraction.
    Float,
    /// A number of 64 bits with a fraction.
    Double,
    /// True or false.
    Boolean,
    /// Bytes.
    Blob,
    /// A time, in the given form or that of the place where it stands.
    Timestamp(Option<TimeFormat>),
    /// Bytes that are the whole body.
    Streaming,
    /// Any JSON.
    Document,
    /// JSON as a text, in a header as base64.
    JsonText,
    /// A stream of events: no operation with one can be called.
    EventStream,
    /// A shape with parts, by its number.
    Shape(u32),
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-08-28T20:34:59Z`
    Iso8601,
    /// `Fri, 28 Aug 2026 20:34:59 GMT`
    Rfc822,
    /// Seconds since 1970, a number.
    Unix,
}

/// A shape with parts.
#[derive(Debug)]
pub enum Shape {
    /// A list.
    List {
        /// What its elements are.
        item: Type,
        /// The elements stand where the list would.
        flattened: bool,
        /// The element's name, where the model gives one.
        item_name: Option<Arc<str>>,
    },
    /// A map from text.
    Map {
        /// What its values are.
        value: Type,
        /// The entries stand where the map would.
        flattened: bool,
        /// The name of a key on the wire.
        key_name: Arc<str>,
        /// The name of a value on the wire.
        value_name: Arc<str>,
    },
    /// A structure.
    Structure(Structure),
}

/// A structure: members, of which one may be the body.
#[derive(Debug)]
pub struct Structure {
    /// The member that is the whole body.
    pub payload: Option<Arc<str>>,
    /// The name of its element, where it is a root.
    pub wrapper: Option<Arc<str>>,
    /// Exactly one member is set.
    pub union: bool,
    /// The members, in the order of the model.
    pub members: Vec<Member>,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The name in the model, `KMSKeyArn`.
    pub name: Arc<str>,
    /// The name in parameters and results, `KmsKeyArn`; see [`member_name`].
    pub key: Arc<str>,
    /// The name on the wire.
    pub wire: Arc<str>,
    /// The name on the wire is not the model's.
    pub renamed: bool,
    /// Where it stands in the request or the answer.
    pub location: Location,
    /// It must be given.
    pub required: bool,
    /// Its list or map is flattened here.
    pub flattened: bool,
    /// A token that makes repeating the call harmless; made up where it is not given.
    pub token: bool,
    /// An XML attribute.
    pub attribute: bool,
    /// The prefix (or empty) and the address of an XML name space.
    pub namespace: Option<(Arc<str>, Arc<str>)>,
    /// The name in EC2's forms, where it is one of its own.
    pub query_name: Option<Arc<str>>,
    /// What it is.
    pub ty: Type,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// In the path.
    Uri,
    /// In the query.
    Query,
    /// A header.
    Header,
    /// All headers with a prefix.
    Headers,
    /// The status of the answer.
    Status,
}

impl Service {
    /// The operation of an action, `putItem` or `PutItem`.
    pub fn operation(&self, action: &str) -> Option<&Operation> {
        let mut name = action.to_owned();
        name.get_mut(..1)?.make_ascii_uppercase();
        let at = self.operations.binary_search_by(|o| (*o.name).cmp(&name)).ok()?;
        Some(&self.operations[at])
    }

    /// The protocol that requests are made in.
    ///
    /// # Panics
    /// Never: the table has a protocol for each service.
    pub fn protocol(&self) -> Protocol {
        self.protocols[0]
    }

    /// The error with a code or a name.
    pub fn error(&self, code: &str) -> Option<&ErrorShape> {
        let by_code = self.errors.iter().find(|e| *e.code == *code);
        by_code.or_else(|| self.errors.iter().find(|e| *e.shape == *code))
    }

    /// The parts of a type that has some.
    pub fn shape(&self, ty: Type) -> Option<&Shape> {
        if let Type::Shape(number) = ty { self.shapes.get(number as usize) } else { None }
    }

    /// The structure behind a type.
    pub fn structure(&self, ty: Type) -> Option<&Structure> {
        if let Some(Shape::Structure(structure)) = self.shape(ty) { Some(structure) } else { None }
    }

    /// What an operation takes.
    pub fn input(&self, operation: &Operation) -> Option<&Structure> {
        self.structure(operation.input)
    }

    /// What an operation gives.
    pub fn output(&self, operation: &Operation) -> Option<&Structure> {
        self.structure(operation.output)
    }

    /// Whether an operation sends or receives a stream of events, which no task can.
    pub fn streams(&self, operation: &Operation) -> bool {
        let both = [self.input(operation), self.output(operation)];
        both.into_iter().flatten().any(|s| s.members.iter().any(|m| m.ty == Type::EventStream))
    }
}

impl Structure {
    /// The member with this name in parameters.
    pub fn by_key(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|m| *m.key == *key)
    }

    /// The member with this name in the model.
    pub fn by_name(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| *m.name == *name)
    }
}
