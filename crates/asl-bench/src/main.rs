//! Measures the engine against the ceilings of the machine it runs on: `cargo run --release -p asl-bench -- [NAME...]`.

mod beside;
mod command;
mod durable;
mod functions;
mod growth;
mod http;
mod inprocess;
mod load;
mod machine;
mod measure;
mod postgres;
mod postgres_saga;
mod postgres_takeover;
mod process;
mod report;
mod saga;
mod start;
mod stored;
mod waiting;

use clap::Parser;
use report::Figure;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// As in `asl`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A bench: its name, by which it can be asked for, and what it measures.
type Bench = (&'static str, fn() -> Vec<Figure>);

/// From this load average on, others take processor time that the benches want: some of them use two cores.
const QUIET: f64 = 0.5;

/// Measure the engine, each figure beside the best this machine could do.
#[derive(Parser)]
struct Args {
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A PostgreSQL server to measure the store on, in a schema that is dropped again: its benches alone, unless others are named
    #[arg(long, value_name = "URL")]
    db: Option<String>,
    /// Only the benches whose names begin so
    names: Vec<String>,
    /// Run a command and say how much memory it needed at its peak, in bytes: what the benches do with a copy of this program
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, hide = true)]
    peak_of: Vec<OsString>,
    /// Say how much memory so many waiting executions need, in bytes: as above
    #[arg(long, value_name = "COUNT", hide = true)]
    waiting: Option<usize>,
    /// Take over what waits in the store of this URL; say the seconds and the resident memory: as above
    #[arg(long, value_name = "URL", hide = true)]
    takes_over: Option<String>,
    /// Hold executions in the store of this URL until it is killed: as above
    #[arg(long, value_name = "URL", hide = true)]
    holds: Option<String>,
}

fn main() -> std::io::Result<ExitCode> {
    // Functions are measured below supervisors, as the command runs them.
    asl_function::supervisor::serve_if_asked();
    let args = Args::parse();
    if !args.peak_of.is_empty() {
        return process::tell_peak(&args.peak_of);
    }
    if let Some(count) = args.waiting {
        return waiting::tell(count);
    }
    if let Some(url) = &args.takes_over {
        return postgres_saga::take_over(url);
    }
    if let Some(url) = &args.holds {
        return postgres_takeover::hold(url);
    }
    let has_server = args.db.is_some();
    args.db.into_iter().for_each(|url| postgres::URL.set(url).expect("it is set once"));
    let wanted = |name: &str| {
        let is_server = name.starts_with("postgres");
        if is_server && !has_server || !is_server && has_server && args.names.is_empty() {
            return false;
        }
        args.names.is_empty() || args.names.iter().any(|n| name.starts_with(n.as_str()))
    };
    let load = measure::load_average();
    if let Some(load) = load.filter(|load| *load > QUIET) {
        eprintln!(
            "the machine was busy in the last minute (load average {load}); figures and ratios are true of a quiet one"
        );
    }
    let mut figures = Vec::new();
    for (name, bench) in [
        machine::BENCHES,
        growth::BENCHES,
        durable::BENCHES,
        start::BENCHES,
        saga::BENCHES,
        waiting::BENCHES,
        beside::BENCHES,
        stored::BENCHES,
        inprocess::BENCHES,
        functions::BENCHES,
        command::BENCHES,
        http::BENCHES,
        postgres::BENCHES,
        postgres_saga::BENCHES,
        postgres_takeover::BENCHES,
    ]
    .concat()
    {
        if wanted(name) {
            eprintln!("measuring {name}");
            figures.extend(bench());
        }
    }
    print!("{}", report::table(&figures));
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", report::json(&figures, std::env::consts::ARCH, load)))?;
    }
    Ok(ExitCode::SUCCESS)
}
