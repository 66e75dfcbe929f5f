//! `arn:aws:states:::http:invoke`: a request to any web address, authorized by a connection of the project file (spec: Task,
//! quirks of http).
//!
//! Nothing leaves the machine unasked: a request needs a declared connection, and goes to a private address only where the
//! project file names its host. Secrets are read for each request, are in no error, and are taken out of answers that repeat
//! them.

mod address;
mod answer;
mod connection;
mod form;
mod request;
mod transport;

pub(crate) use answer::shown;
pub(crate) use request::is_blocked;

pub use connection::{ApiKey, Basic, ConnectionSpec, Grant, OAuth, SecretSource, Text};

use crate::backend::Missing;
use crate::integration::{Backend, Call, Integration, Mode};
use crate::runner::Runner;
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::Value;
use async_trait::async_trait;
use connection::Connection;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use transport::Transport;

/// What HTTP tasks may use: the connections of a project, and the private hosts they may reach. Cheap to clone.
#[derive(Clone, Default)]
pub struct Http(Arc<Shared>);

#[derive(Default)]
struct Shared {
    connections: BTreeMap<String, Connection>,
    transport: Transport,
    region: String,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Http").field(&self.0.connections.keys()).finish()
    }
}

impl Http {
    /// The connections by name. Files of secrets are relative to `root`; `private_hosts` are those (`127.0.0.1:8080`,
    /// `intranet.example`) that may have private addresses, and be reached without TLS; `region` is what requests tell of
    /// themselves.
    pub fn new(
        connections: BTreeMap<String, ConnectionSpec>,
        root: &Path,
        private_hosts: Vec<String>,
        region: &str,
    ) -> Http {
        let made = connections.into_iter().map(|(name, spec)| {
            let connection = Connection::new(&name, spec, root);
            (name, connection)
        });
        let (connections, transport) = (made.collect(), Transport::new(private_hosts));
        Http(Arc::new(Shared { connections, transport, region: region.to_owned() }))
    }

    /// What runs `http:invoke`.
    pub(crate) fn invoke(&self) -> Result<Backend, Missing> {
        if self.0.connections.is_empty() {
            return Err(Missing {
                message: "http:invoke has no connection to use".to_owned(),
                hint: Some(
                    "add [connections.NAME] to the project file, with the name that ConnectionArn has, or run it under a mock"
                        .to_owned(),
                ),
            });
        }
        Ok(Backend::new(Invoke(self.clone())))
    }
}

/// The integration.
#[derive(Debug)]
struct Invoke(Http);

#[async_trait]
impl Integration for Invoke {
    fn title(&self) -> String {
        "an HTTP request".to_owned()
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Http
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        let Some(parameters) = parameters else { return Ok(()) };
        for holder in request::HOLDERS {
            let arn = parameters.literal(holder).map(|held| &held["ConnectionArn"]).and_then(Value::as_str);
            if let Some(name) = arn.map(connection::name_of)
                && !self.0.0.connections.contains_key(name)
            {
                let names = self.0.0.connections.keys().map(String::as_str);
                return Err(Missing::declaration("connection", "connections", name, names));
            }
        }
        if let Some(endpoint) = parameters.literal("ApiEndpoint").and_then(Value::as_str) {
            self.0
                .0
                .transport
                .check(endpoint)
                .map_err(|refused| Missing { message: refused.message, hint: Some(refused.hint) })?;
        }
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let shared = &*self.0.0;
        let arn = request::connection_arn(call.parameters)?;
        let name = connection::name_of(arn);
        let Some(connection) = shared.connections.get(name) else {
            let cause = format!("The connection {arn} does not exist: add [connections.{name}] to the project file");
            return Err(Failure::new("Events.ConnectionResource.ResourceNotFound", cause));
        };
        let mut refreshed = false;
        loop {
            let authorized = connection.authorize(&shared.transport).await?;
            let request = request::build(call.parameters, &authorized, &shared.region)?;
            let answered = shared.transport.send(&request).await.map_err(|e| authorized.hide_failure(e))?;
            // A token may be withdrawn before its time.
            if answered.status == 401 && authorized.by_token && !refreshed {
                connection.forget().await;
                refreshed = true;
                continue;
            }
            return answer::read(answered, &authorized);
        }
    }
}
