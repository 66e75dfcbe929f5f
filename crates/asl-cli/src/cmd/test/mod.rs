//! `asl test`: the test cases of definitions, and what they reach.

mod coverage;
mod find;
mod junit;
mod status;

use crate::common::interrupt::Interrupt;
use crate::common::place::named_project;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::text;
use crate::terminal::{answer, say, write};
use asl::project::ProjectError;
use asl::testing::{Options, Report, Suite, run};
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What `asl test` can be told.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Test files, definitions or templates with one beside them, or folders to search [default: this folder]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only cases whose file and name, "fare happy", contain this; may be given more than once
    #[arg(long, short, value_name = "TEXT")]
    filter: Vec<String>,
    /// How many cases run at once [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Run no functions: calling one that is not mocked is a failure
    #[arg(long)]
    mock_only: bool,
    /// How long a case may really take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Show how much of each definition the cases reach, and what they do not
    #[arg(long)]
    coverage: bool,
    /// Write that as JSON
    #[arg(long, value_name = "FILE")]
    coverage_json: Option<PathBuf>,
    /// Fail when the cases reach less of the definitions than this, in percent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    coverage_min: Option<f64>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// JSON: {"cases": [{"file", "line", "name", "passed", "milliseconds", "mismatches"}], "coverage"}
    #[arg(long)]
    json: bool,
    /// The project file [default: $ASL_PROJECT, or the nearest asl.toml or template of each definition]
    #[arg(long, value_name = "FILE")]
    project: Option<PathBuf>,
    #[command(flatten)]
    stack: crate::args::Stack,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "a number from 0 to 100 is needed".to_owned())
}

pub(crate) async fn test(args: Test) -> Result<Exit, Trouble> {
    let look = Look::of_stderr();
    let suites = load(&args)?;
    let mut options = Options { filters: args.filter.clone(), mock_only: args.mock_only, ..Options::default() };
    options.limit = Duration::from_secs(args.timeout);
    options.jobs = args.jobs.map_or(options.jobs, usize::from);
    let wanted =
        |suite: &Suite| suite.file.cases.iter().filter(|case| options.wants(&suite.file.name, &case.name)).count();
    let chosen: Vec<usize> = suites.iter().map(wanted).filter(|cases| *cases > 0).collect();
    let cases: usize = chosen.iter().sum();
    if cases == 0 {
        let hint = "a case is chosen when the name of its file and its own, \"fare happy\", contain the text";
        return Err(Trouble::new("no case is to be run").hint(hint));
    }
    say(&format!("running {}\n", status::cases(cases, chosen.len())));
    let began = Instant::now();
    let mut interrupt = Interrupt::listen()?;
    let running = run(suites, &options, |suite, case, result| {
        say(&status::line(&suite.file.name, &case.name, result, look));
    });
    let report = tokio::select! {
        report = running => report,
        () = interrupt.came() => return Ok(Exit::Interrupted),
    };
    say(&status::failures(&report, look));
    say(&status::summary(&report, began.elapsed(), look));
    if let Some(file) = &args.junit {
        write(file, &junit::document(&report))?;
    }
    if args.json {
        answer(&text::json(&status::to_value(&report)))?;
    }
    let reached = covered(&args, &report, look)?;
    Ok(if report.passed() && reached { Exit::Done } else { Exit::Failed })
}

/// Every test file, or everything that is wrong with all of them.
fn load(args: &Test) -> Result<Vec<Suite>, Trouble> {
    let mut suites = Vec::new();
    let mut problems = Vec::new();
    for path in find::files(&args.paths)? {
        match Suite::load_with(&path, named_project(args.project.as_deref()).as_deref(), &args.stack.options()) {
            Ok(suite) => suites.push(suite),
            Err(error) => problems.extend(error.problems),
        }
    }
    problems.dedup();
    if problems.is_empty() { Ok(suites) } else { Err(ProjectError { problems }.into()) }
}

/// Tells of the coverage. False when it is too low.
fn covered(args: &Test, report: &Report, look: Look) -> Result<bool, Trouble> {
    let coverages = coverage::by_definition(report);
    if let Some(file) = &args.coverage_json {
        write(file, &format!("{:#}\n", coverage::to_value(&coverages)))?;
    }
    let total = coverage::percent(&coverages);
    let enough = args.coverage_min.is_none_or(|min| total >= min);
    if !args.json && (args.coverage || !enough) {
        answer(&coverage::table(&coverages, Look::of_stdout()))?;
    }
    if let (false, Some(min)) = (enough, args.coverage_min) {
        let verdict = format!("the cases reach {total:.1} % of the definitions, less than {min} %");
        say(&format!("{}: {verdict}\n", look.bad("coverage")));
    }
    Ok(enough)
}
