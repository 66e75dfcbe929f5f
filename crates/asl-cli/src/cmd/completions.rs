//! `asl completions`, `asl man`: for shells and for `man`, made of what the command can be told.

use crate::args;
use crate::exit::{Exit, Trouble};
use crate::terminal::{answer, say, write};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The folder to write the pages to; it is made if it is not there
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}

/// The script on stdout.
pub(crate) fn completions(args: Completions) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::Args::command(), "asl", &mut script);
    answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// A page for each command: `asl.1`, `asl-run.1` ...
pub(crate) fn man(args: Man) -> Result<Exit, Trouble> {
    let failed = |problem: std::io::Error| {
        Trouble::new(format!("the folder {} cannot be written: {problem}", args.folder.display()))
    };
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    let mut command = args::Args::command().disable_help_subcommand(true);
    command.build();
    let mut todo = vec![command];
    let mut pages = 0;
    while let Some(command) = todo.pop() {
        todo.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        let mut page = Vec::new();
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        clap_mangen::Man::new(command).render(&mut page).map_err(failed)?;
        write(&args.folder.join(format!("{name}.1")), &String::from_utf8_lossy(&page))?;
        pages += 1;
    }
    say(&format!("{pages} pages in {}\n", args.folder.display()));
    Ok(Exit::Done)
}
