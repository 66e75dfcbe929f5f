//! Exceptions, as clients see them.

use asl::{Map, Value};

/// Where a code comes from, which its name on the wire begins with. Measured from real answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The service's own model.
    Model,
    /// The framework's constraints.
    Constraint,
    /// The framework itself: unknown operations, unreadable bodies, signatures.
    Framework,
    /// Too many requests.
    Availability,
}

impl Origin {
    fn namespace(self) -> &'static str {
        match self {
            Origin::Model => "com.amazonaws.swf.service.v2.model",
            Origin::Constraint => "com.amazon.coral.validate",
            Origin::Framework => "com.amazon.coral.service",
            Origin::Availability => "com.amazon.coral.availability",
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The exception's name: `StateMachineDoesNotExist`.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) message: String,
    origin: Origin,
    /// Further members of the body: `resourceName`, `reason`.
    more: Vec<(&'static str, String)>,
}

impl ApiError {
    /// An exception of the service.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError { code: code.into(), message: message.into(), origin: Origin::Model, more: Vec::new() }
    }

    /// A request that breaks constraints of the model.
    pub(crate) fn constraint(message: String) -> ApiError {
        ApiError { origin: Origin::Constraint, ..ApiError::new("ValidationException", message) }
    }

    /// A request that is no request of that operation.
    pub(crate) fn serialization(message: impl Into<String>) -> ApiError {
        ApiError::framework("SerializationException", message)
    }

    /// What the service's framework refuses.
    pub(crate) fn framework(code: &str, message: impl Into<String>) -> ApiError {
        ApiError { origin: Origin::Framework, ..ApiError::new(code, message) }
    }

    /// Too many requests at once: SDKs wait and ask again.
    pub(crate) fn throttled() -> ApiError {
        ApiError { origin: Origin::Availability, ..ApiError::new("ThrottlingException", "Rate exceeded") }
    }

    /// Something that is not the caller's fault: SDKs ask again.
    pub(crate) fn internal(message: impl Into<String>) -> ApiError {
        ApiError::framework("InternalFailure", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationException", message)
    }

    pub(crate) fn invalid_arn(why: &str) -> ApiError {
        ApiError::new("InvalidArn", format!("Invalid Arn: '{why}'"))
    }

    pub(crate) fn no_resource(resource: &str) -> ApiError {
        let message = "Request references a resource that does not exist.";
        ApiError { more: vec![("resourceName", resource.to_owned())], ..ApiError::new("ResourceNotFound", message) }
    }

    pub(crate) fn naming(mut self, resource: &str) -> ApiError {
        self.more.push(("resourceName", resource.to_owned()));
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self.code.as_str() {
            "ConflictException" => 409,
            "ServiceQuotaExceededException" => 402,
            "InternalFailure" => 500,
            "ServiceUnavailableException" => 503,
            _ => 400,
        }
    }

    /// The body: `{"__type", "message"}`.
    pub(crate) fn to_value(&self) -> Value {
        let mut body = Map::with_capacity(3);
        body.insert("__type", format!("{}#{}", self.origin.namespace(), self.code));
        body.insert("message", self.message.as_str());
        for (name, text) in &self.more {
            body.insert(*name, text.as_str());
        }
        body.into()
    }
}
