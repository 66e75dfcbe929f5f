//! The parameters of a call, read as Step Functions binds them to a request: a wrong kind of value never reaches the service.

use super::error::{Fault, refused, unreadable};
use super::{Dialect, ServiceCall};
use asl_value::{Map, Value};

/// What one action takes: the parameters read here, and those AWS knows that these services do not offer.
pub(crate) struct Shape {
    pub(crate) known: &'static [&'static str],
    pub(crate) refused: &'static [&'static str],
}

/// The parameters of one call.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a>(&'a Map);

impl<'a> Params<'a> {
    /// The parameters of a call: [`Params::new`].
    pub(crate) fn of(call: &ServiceCall<'a>, shape: &Shape) -> Result<Params<'a>, Fault> {
        Params::new(call.parameters, call.dialect, shape)
    }

    /// Checks that the parameters are an object with only members the action has. A `null` member counts as absent. On the wire a
    /// member that the service does not know is passed over, as AWS does.
    pub(crate) fn new(parameters: &'a Value, dialect: Dialect, shape: &Shape) -> Result<Params<'a>, Fault> {
        let map = parameters.as_object().ok_or_else(|| unreadable("The parameters must be a JSON object"))?;
        for (name, value) in map {
            if value.is_null() || shape.known.contains(&&**name) {
                continue;
            }
            if dialect == Dialect::Wire {
                if shape.refused.contains(&&**name) {
                    let message = format!("{name} is not supported by the embedded service");
                    return Err(refused("ValidationException", message));
                }
                continue;
            }
            return Err(if shape.refused.contains(&&**name) {
                unreadable(format!("The field '{name}' is not supported by the embedded service"))
            } else {
                unreadable(format!("The field '{name}' is not supported by Step Functions"))
            });
        }
        Ok(Params(map))
    }

    /// A parameter of any kind; `None` when absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(&self, name: &str, kind: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong_kind(name, kind))
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.typed(name, "a STRING", Value::as_str)
    }

    /// A boolean; `false` when absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Fault> {
        Ok(self.typed(name, "a BOOLEAN", Value::as_bool)?.unwrap_or(false))
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.typed(name, "an INTEGER", Value::as_i64)
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a Map>, Fault> {
        self.typed(name, "a JSON object", Value::as_object)
    }

    /// An array; empty when absent.
    pub(crate) fn list(&self, name: &str) -> Result<&'a [Value], Fault> {
        Ok(self.typed(name, "an ARRAY", Value::as_array)?.unwrap_or_default())
    }

    /// An array of texts; empty when absent.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Fault> {
        let read = |value: &'a Value| value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
        Ok(self.typed(name, "an ARRAY of STRING", read)?.unwrap_or_default())
    }

    /// A message: text as it is; any other JSON value becomes its JSON text, as Step Functions does for
    /// `MessageBody` and `Message`.
    pub(crate) fn message(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

/// The complaint about a value of the wrong JSON kind.
pub(crate) fn wrong_kind(name: &str, kind: &str) -> Fault {
    unreadable(format!("The value for the field '{name}' must be {kind}"))
}
