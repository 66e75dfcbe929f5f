//! Putting an engine together.

use crate::client::{Client, LEASE};
use crate::clock::Clock;
use crate::engine::{Engine, Observer, Settings};
use crate::pace::RECORD;
use asl_core::Budget;
use asl_store::Store;
use asl_syntax::Definition;
use asl_task::Backends;
use asl_task::aws::Aws;
use asl_task::bucket::Buckets;
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::function::{FunctionSet, Handler};
use asl_task::http::Http;
use asl_task::mock::Mocks;
use std::sync::Arc;
use std::time::Duration;

/// Collects what an [`Engine`] works with; from [`Engine::builder`].
pub struct EngineBuilder {
    store: Arc<dyn Store>,
    identity: Identity,
    functions: Option<FunctionSet>,
    handlers: Vec<(String, Arc<dyn Handler>)>,
    services: Option<Services>,
    buckets: Buckets,
    aws: Aws,
    http: Http,
    mocks: Mocks,
    observer: Option<Arc<dyn Observer>>,
    settings: Settings,
    clock: Clock,
    seed: Option<u64>,
}

/// How many executions are in memory at most, unless another number is set.
const MAX_ACTIVE: usize = 10_000;
/// How many bytes executions in memory take, unless another number is set.
const MAX_MEMORY: usize = 1024 * 1024 * 1024;

impl EngineBuilder {
    pub(crate) fn new(store: Arc<dyn Store>) -> EngineBuilder {
        let identity = Identity::new("us-east-1", "000000000000");
        EngineBuilder {
            store,
            identity,
            functions: None,
            handlers: Vec::new(),
            services: None,
            buckets: Buckets::default(),
            aws: Aws::default(),
            http: Http::default(),
            mocks: Mocks::default(),
            observer: None,
            clock: Clock::real(),
            seed: None,
            settings: Settings {
                what: "an engine".to_owned(),
                lease: LEASE,
                max_active: MAX_ACTIVE,
                client: false,
                record: RECORD,
                max_memory: MAX_MEMORY,
                deaths: asl_store::quarantine::DEATHS,
                state_machines: None,
            },
        }
    }

    /// The region and account that ARNs show; `us-east-1` and `000000000000` unless set.
    pub fn identity(mut self, identity: Identity) -> EngineBuilder {
        self.identity = identity;
        self
    }

    /// Functions that run as processes or behind URLs.
    pub fn functions(mut self, functions: FunctionSet) -> EngineBuilder {
        self.functions = Some(functions);
        self
    }

    /// A function of this program, under the name by which definitions call it.
    pub fn function(mut self, name: &str, handler: impl Handler + 'static) -> EngineBuilder {
        self.handlers.push((name.to_owned(), Arc::new(handler)));
        self
    }

    /// The embedded table, topic and queue services.
    pub fn services(mut self, services: Services) -> EngineBuilder {
        self.services = Some(services);
        self
    }

    /// The services that tasks call at AWS, and how it is reached; none unless set.
    pub fn aws(mut self, aws: Aws) -> EngineBuilder {
        self.aws = aws;
        self
    }

    /// The connections that HTTP tasks use, and the private hosts they may reach; none unless set.
    pub fn http(mut self, http: Http) -> EngineBuilder {
        self.http = http;
        self
    }

    /// Folders that stand for the S3 buckets of Distributed Maps.
    pub fn buckets(mut self, buckets: Buckets) -> EngineBuilder {
        self.buckets = buckets;
        self
    }

    /// States whose tasks are not run but answered from a mock configuration.
    pub fn mocks(mut self, mocks: Mocks) -> EngineBuilder {
        self.mocks = mocks;
        self
    }

    /// Where state machines are found, by name, that tasks start beside those of the store's catalogue. Asked when a task wants
    /// one; `None` where there is none of the name, an error where it cannot be loaded.
    pub fn state_machines(
        mut self,
        known: impl Fn(&str) -> Option<Result<Arc<Definition>, String>> + Send + Sync + 'static,
    ) -> EngineBuilder {
        self.settings.state_machines = Some(Arc::new(known));
        self
    }

    /// Somebody who is told what happens, after it was written.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> EngineBuilder {
        self.observer = Some(observer);
        self
    }

    /// What other processes are told of this engine where they say who runs an execution; `an engine` unless set.
    pub fn called(mut self, what: &str) -> EngineBuilder {
        self.settings.what = what.to_owned();
        self
    }

    /// For those who stop executions, answer their tasks and wait for them, and have none of the project's functions: what is to be
    /// delivered to a function is left to those who have.
    pub fn client(mut self) -> EngineBuilder {
        self.settings.client = true;
        self
    }

    /// The most executions in memory at once; 10,000 unless set. Those that only wait for a time or a task token are not
    /// in memory, and a parent whose Distributed Map is at work is not counted.
    pub fn max_active(mut self, executions: usize) -> EngineBuilder {
        self.settings.max_active = executions.max(1);
        self
    }

    /// How many bytes of inputs, variables and results the executions in memory may have before no other is let in; 1 GiB
    /// unless set. Those that are in may grow, each by the limits of AWS, so that this is passed by some.
    pub fn max_memory(mut self, bytes: usize) -> EngineBuilder {
        self.settings.max_memory = bytes;
        self
    }

    /// What a record may cost before it is written and others get their turn: 10,000 steps, 20 million units of work, 8 MiB of
    /// events unless set, and 100 ms whatever is set.
    pub fn record_budget(mut self, budget: Budget) -> EngineBuilder {
        self.settings.record = budget;
        self
    }

    /// After how many deaths of its owners without a record an execution is set aside; 3 unless set.
    pub fn set_aside_after(mut self, deaths: u32) -> EngineBuilder {
        self.settings.deaths = deaths.max(1);
        self
    }

    /// How long other processes wait before they take over the executions of this engine when it is silent, though it seems
    /// to live; 30 seconds unless set, and not less than 300 ms. They judge by how long they have watched, never by a time. An engine whose process is gone is succeeded at once.
    pub fn lease(mut self, lease: Duration) -> EngineBuilder {
        self.settings.lease = lease.max(Duration::from_millis(300));
        self
    }

    /// Skips the times in which nothing happens: waits, back-offs and timeouts take no time, and the executions' histories
    /// have the times they would have had. Functions really run, and while one does, time passes as it really does.
    pub fn skip_time(self) -> EngineBuilder {
        let now = Clock::real().now();
        self.clock(Clock::skipping(now))
    }

    /// Where the time comes from; [`Clock::real`] unless set.
    pub fn clock(mut self, clock: Clock) -> EngineBuilder {
        self.clock = clock;
        self
    }

    /// Makes chance the same in every run: what an execution draws (`States.UUID`, jitter, task tokens) follows from this
    /// number and its name. For tests: whoever knows both can answer its tasks.
    pub fn seed(mut self, seed: u64) -> EngineBuilder {
        self.seed = Some(seed);
        self
    }

    /// The engine. Must be called inside a tokio runtime.
    pub fn build(self) -> Engine {
        let mut functions = self.functions.unwrap_or_else(|| FunctionSet::new(self.identity.clone()));
        for (name, handler) in self.handlers {
            functions.add(&name, handler);
        }
        let services = self.services.unwrap_or_else(|| {
            Services::new(&ServicesSpec::default(), self.identity.clone()).expect("no declarations have no mistakes")
        });
        let mut backends = Backends::new(functions, Arc::new(services));
        (backends.buckets, backends.mocks) = (self.buckets, self.mocks);
        (backends.aws, backends.http) = (self.aws, self.http);
        let client = Client::new(self.store).identity(self.identity).clock(self.clock).seed(self.seed);
        let client = client.called(self.settings.what.clone()).lease(self.settings.lease);
        Engine::new(client, backends, self.observer, self.settings)
    }
}
