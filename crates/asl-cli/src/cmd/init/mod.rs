//! `asl init`: a project to begin with.

use crate::exit::{Exit, Trouble};
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::{Map, Value};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder; it is made if it is not there
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Only a project file and a definition that does nothing
    #[arg(long)]
    pub(crate) empty: bool,
    /// JSON: {"files"}, those that were written
    #[arg(long)]
    pub(crate) json: bool,
}

/// The files of a project: where each lies, and its text.
type Files = &'static [(&'static str, &'static str)];

const EXAMPLE: Files = &[
    ("asl.toml", include_str!("example/asl.toml")),
    ("order.asl.json", include_str!("example/order.asl.json")),
    ("order.test.yaml", include_str!("example/order.test.yaml")),
    ("input.json", include_str!("example/input.json")),
    ("functions/charge.py", include_str!("example/charge.py")),
    (".gitignore", GITIGNORE),
];
const EMPTY: Files = &[
    ("asl.toml", include_str!("empty/asl.toml")),
    ("main.asl.json", include_str!("empty/main.asl.json")),
    ("main.test.yaml", include_str!("empty/main.test.yaml")),
    (".gitignore", GITIGNORE),
];
/// The database.
const GITIGNORE: &str = "/.asl/\n";

pub(crate) fn init(args: Init) -> Result<Exit, Trouble> {
    let files = if args.empty { EMPTY } else { EXAMPLE };
    // Nothing is written when something is there already.
    let there: Vec<&str> = files.iter().map(|(name, _)| *name).filter(|name| args.folder.join(name).exists()).collect();
    if !there.is_empty() {
        let message = format!("{} has {} already", args.folder.display(), there.join(", "));
        return Err(Trouble::new(message).hint("choose another folder; nothing was written"));
    }
    for (name, text) in files {
        let file = args.folder.join(name);
        write(&file, text).map_err(|problem| {
            Trouble::new(format!("{} cannot be written: {problem}", file.display()))
                .hint("check the folder's permissions")
        })?;
        if !args.json {
            answer(&format!("{}\n", file.display()))?;
        }
    }
    if args.json {
        let names = files.iter().map(|(name, _)| Value::from(args.folder.join(name).display().to_string()));
        answer(&json(&Map::from_iter([("files", names.collect::<Vec<_>>())]).into()))?;
    }
    let (definition, input) =
        if args.empty { ("main.asl.json", "") } else { ("order.asl.json", " --input input.json") };
    let enter = if args.folder == Path::new(".") { String::new() } else { format!("cd {} && ", args.folder.display()) };
    say(&format!("next: {enter}asl run {definition}{input}; asl test; asl graph {definition}\n"));
    Ok(Exit::Done)
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text)
}
