//! A schema of its own for each test, in the database that `ASL_TEST_POSTGRES` names (`.ci/postgres` starts one).

use sqlx::{Connection, Executor, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

/// A schema that is there while this is.
pub(crate) struct Place {
    url: String,
    schema: String,
}

/// A place that is empty; none, said aloud, where no server is named.
pub(crate) fn place(test: &str) -> Option<Place> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(url) = std::env::var("ASL_TEST_POSTGRES") else {
        assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "ASL_TEST_POSTGRES is not set");
        eprintln!("skipped: {test} on PostgreSQL needs ASL_TEST_POSTGRES=postgres://...; .ci/postgres starts one");
        return None;
    };
    let schema = format!("t{}_{}_{test}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Some(Place { url, schema })
}

impl Place {
    /// The URL of the store.
    pub(crate) fn url(&self) -> String {
        self.with("")
    }

    /// The URL, with more parameters.
    pub(crate) fn with(&self, more: &str) -> String {
        format!("{}?schema={}&{more}", self.url, self.schema)
    }

    /// The URL through another address.
    pub(crate) fn at(&self, host_and_port: &str) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let (user, path) = (rest.split_once('@').unwrap().0, rest.rsplit_once('/').unwrap().1);
        format!("{scheme}://{user}@{host_and_port}/{path}?schema={}", self.schema)
    }

    /// The name of its schema.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// `host:port` of the server.
    pub(crate) fn server(&self) -> String {
        address(&self.url)
    }

    /// A connection to ask what no call tells, or to break something.
    pub(crate) async fn connection(&self) -> PgConnection {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        conn.execute(sqlx::AssertSqlSafe(format!("SET search_path = {}", self.schema))).await.unwrap();
        conn
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (url, sql) = (self.url.clone(), format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema));
        let clean = async move {
            if let Ok(mut conn) = PgConnection::connect(&url).await {
                let _ = conn.execute("SET lock_timeout = '5s'").await;
                let _ = conn.execute(sqlx::AssertSqlSafe(sql)).await;
            }
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(clean);
        });
        let _ = thread.join();
    }
}

/// A server of a test's own, for one that kills it.
pub(crate) struct Server {
    pub(crate) url: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// None, said aloud, where none can be started.
    pub(crate) fn start() -> Option<Server> {
        let folder = tempfile::tempdir().unwrap();
        let made = script(&["start", folder.path().to_str().unwrap()]);
        if !made.status.success() {
            assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "{made:?}");
            eprintln!("skipped: no PostgreSQL server can be started here: {}", String::from_utf8_lossy(&made.stderr));
            return None;
        }
        Some(Server { url: String::from_utf8(made.stdout).unwrap().trim().to_owned(), folder })
    }

    /// The URL through PgBouncer in transaction mode; none, said aloud, where it is not installed.
    pub(crate) fn pooler(&self) -> Option<String> {
        let made = script(&["pooler", self.folder.path().to_str().unwrap()]);
        if !made.status.success() {
            assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "{made:?}");
            eprintln!("skipped: no PgBouncer can be started here: {}", String::from_utf8_lossy(&made.stderr));
            return None;
        }
        Some(String::from_utf8(made.stdout).unwrap().trim().to_owned())
    }

    /// Adds a synchronous standby; the `host:port` of both.
    pub(crate) fn standby(&self) -> (String, String) {
        let made = script(&["standby", self.folder.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        (address(&self.url), address(String::from_utf8(made.stdout).unwrap().trim()))
    }

    /// Kills it, and makes its standby the server.
    pub(crate) fn fail_over(&self) {
        let made = script(&["fail-over", self.folder.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
    }

    /// Kills it, and starts it again on the same port.
    pub(crate) fn restart(&self) {
        let made = script(&["restart", self.folder.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script(&["stop", self.folder.path().to_str().unwrap()]);
    }
}

/// `host:port` of a URL.
fn address(url: &str) -> String {
    url.split_once('@').unwrap().1.split('/').next().unwrap().to_owned()
}

fn script(args: &[&str]) -> std::process::Output {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/postgres");
    std::process::Command::new(script).args(args).output().unwrap()
}
