//! A server of this process, with a store in memory.

use asl::parts::embedded::{Identity, Services, ServicesSpec};
use asl::{Engine, Journal};
use asl_server::Server;
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// A server that runs until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// Its threads end with it.
    _runtime: Runtime,
}

impl Served {
    /// A server whose services have these queues.
    pub(crate) fn new(queues: &[String]) -> Result<Served, String> {
        let runtime = Runtime::new().map_err(|e| e.to_string())?;
        let identity = Identity::new("us-east-1", "111111111111");
        let address = runtime.block_on(async {
            let journal = Journal::in_memory().await.map_err(|e| e.to_string())?;
            let mut spec = ServicesSpec::default();
            for queue in queues {
                spec.queues.insert(queue.clone(), Default::default());
            }
            let services = Services::new(&spec, identity.clone()).map_err(|errors| format!("{errors:?}"))?;
            let engine = Engine::builder(journal).identity(identity.clone()).services(services).build();
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let bound = Server::new(engine, identity).bind(any).await.map_err(|e| e.to_string())?;
            let address = bound.address();
            tokio::spawn(bound.serve(std::future::pending()));
            Ok::<_, String>(address)
        })?;
        Ok(Served { address, _runtime: runtime })
    }
}
