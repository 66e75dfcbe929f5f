//! Measures the engine against the ceilings of the machine it runs on: `cargo run --release -p asl-bench -- [NAME...]`.

mod command;
mod durable;
mod functions;
mod growth;
mod machine;
mod measure;
mod report;
mod saga;
mod waiting;

use clap::Parser;
use report::Figure;
use std::path::PathBuf;

/// A bench: its name, by which it can be asked for, and what it measures.
type Bench = (&'static str, fn() -> Vec<Figure>);

/// Measure the engine, each figure beside the best this machine could do.
#[derive(Parser)]
struct Args {
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only the benches whose names begin so
    names: Vec<String>,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let wanted = |name: &str| args.names.is_empty() || args.names.iter().any(|n| name.starts_with(n.as_str()));
    let mut figures = Vec::new();
    for (name, bench) in [
        machine::BENCHES,
        growth::BENCHES,
        durable::BENCHES,
        saga::BENCHES,
        waiting::BENCHES,
        functions::BENCHES,
        command::BENCHES,
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
        std::fs::write(path, format!("{:#}\n", report::json(&figures, std::env::consts::ARCH)))?;
    }
    Ok(())
}
