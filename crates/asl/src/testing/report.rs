//! Running many test files at once, and what came of them.

use super::coverage::Coverage;
use super::file::Case;
use super::run::{CaseResult, Suite};
use crate::project::shown;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How to run tests.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many cases run at once; the number of cores by default.
    pub jobs: usize,
    /// How long a case may really take; a minute by default.
    pub limit: Duration,
    /// Only cases whose `FILE CASE` contains one of these; all when there are none.
    pub filters: Vec<String>,
    /// Every case runs as if it said `mockOnly`.
    pub mock_only: bool,
}

impl Default for Options {
    fn default() -> Options {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Options { jobs, limit: Duration::from_secs(60), filters: Vec::new(), mock_only: false }
    }
}

impl Options {
    /// Whether a case is to be run.
    pub fn wants(&self, suite: &str, case: &str) -> bool {
        let name = format!("{suite} {case}");
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}

/// What came of test files.
#[derive(Debug)]
pub struct Report {
    /// File by file, as they were given.
    pub suites: Vec<SuiteReport>,
}

/// What came of a test file.
#[derive(Debug)]
pub struct SuiteReport {
    /// The test file's name: `fare` for `fare.test.yaml`.
    pub name: String,
    /// The test file, as a person would name it.
    pub file: String,
    /// The cases that ran, in the order of the file.
    pub cases: Vec<(Case, CaseResult)>,
    /// What they reached of the definition.
    pub coverage: Coverage,
}

impl Report {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.suites.iter().all(|suite| suite.cases.iter().all(|(_, result)| result.passed()))
    }
}

/// The failures, with their differences.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for suite in &self.suites {
            for (case, result) in suite.cases.iter().filter(|(_, result)| !result.passed()) {
                writeln!(f, "{} {} failed:", suite.name, case.name)?;
                for mismatch in &result.mismatches {
                    writeln!(f, "  {}", mismatch.what)?;
                    mismatch.details.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
                }
            }
        }
        Ok(())
    }
}

/// Runs the cases of test files, several at once, and tells of each as it ends. At last the functions' processes are ended.
/// Must be called inside a tokio runtime.
pub async fn run(suites: Vec<Suite>, options: &Options, mut told: impl FnMut(&Suite, &Case, &CaseResult)) -> Report {
    let suites: Arc<[Suite]> = suites.into();
    let places = Arc::new(Semaphore::new(options.jobs.max(1)));
    let mut running = JoinSet::new();
    for (at, suite) in suites.iter().enumerate() {
        let wanted =
            suite.file.cases.iter().enumerate().filter(|(_, case)| options.wants(&suite.file.name, &case.name));
        for (number, case) in wanted {
            let (suites, places, limit) = (suites.clone(), places.clone(), options.limit);
            let case = Case { mock_only: case.mock_only || options.mock_only, ..case.clone() };
            running.spawn(async move {
                let _place = places.acquire().await;
                let result = suites[at].run(&case, limit).await;
                (at, number, case, result)
            });
        }
    }
    let mut ended = Vec::with_capacity(running.len());
    while let Some(joined) = running.join_next().await {
        let (at, number, case, result) = match joined {
            Ok(ended) => ended,
            // A panic is a mistake of this program: nothing is gained by going on.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => continue,
        };
        told(&suites[at], &case, &result);
        ended.push((at, number, case, result));
    }
    ended.sort_by_key(|(at, number, ..)| (*at, *number));
    for suite in suites.iter() {
        suite.shutdown().await;
    }
    let mut reports: Vec<SuiteReport> = suites
        .iter()
        .enumerate()
        .map(|(at, suite)| {
            let results = ended.iter().filter(|(of, ..)| *of == at).map(|(.., result)| result);
            let (name, file) = (suite.file.name.clone(), shown(&suite.file.path));
            SuiteReport { name, file, cases: Vec::new(), coverage: suite.coverage(results) }
        })
        .collect();
    for (at, _, case, result) in ended {
        reports[at].cases.push((case, result));
    }
    Report { suites: reports }
}
