//! Where a test of the engine has its store: SQLite always, and PostgreSQL where `ASL_TEST_POSTGRES` names a server.
#![allow(dead_code, unused_macros, unused_imports, reason = "each test binary uses its part")]

use asl_journal::{Database, Durability, Options};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The place of one store. Whatever opens it is another process, as far as the store knows.
pub(crate) struct Home {
    name: String,
    /// Of SQLite's file, until the test ends.
    _folder: Option<tempfile::TempDir>,
}

impl Home {
    pub(crate) fn sqlite() -> Home {
        let folder = tempfile::tempdir().unwrap();
        Home { name: folder.path().join("asl.db").to_str().unwrap().to_owned(), _folder: Some(folder) }
    }

    /// A schema of its own on the server that `ASL_TEST_POSTGRES` names (`.ci/postgres` starts one); none, said aloud, without one.
    pub(crate) fn postgres(test: &str) -> Option<Home> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let Ok(url) = std::env::var("ASL_TEST_POSTGRES") else {
            assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "ASL_TEST_POSTGRES is not set");
            eprintln!("skipped: {test} on PostgreSQL needs ASL_TEST_POSTGRES=postgres://...; .ci/postgres starts one");
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Some(Home { name: format!("{url}?schema=e{}_{number}", std::process::id()), _folder: None })
    }

    /// What a test proves that kills no machine does not depend on the disk.
    pub(crate) async fn open(&self) -> Database {
        let options = Options { durability: Durability::Normal, ..Options::default() };
        Database::open(&self.name, options).await.unwrap()
    }

    /// The URL of the server, for what is not the store's.
    pub(crate) fn server(&self) -> String {
        self.name.split('?').next().unwrap_or_default().to_owned()
    }

    /// Another place of the same kind, with nothing in it.
    pub(crate) fn fresh(&self) -> Home {
        match self._folder {
            Some(_) => Home::sqlite(),
            None => Home::postgres("a second store").expect("there is a server"),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self._folder.is_some()
    }
}

/// Makes a test for each store of each `async fn NAME(home: Home)`.
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::common::Home::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                if let Some(home) = super::common::Home::postgres(stringify!($test)) {
                    super::$test(home).await;
                }
            })+
        }
    };
}
pub(crate) use on_every_store;
