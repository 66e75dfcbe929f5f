//! `asl serve --watch`: what is edited is served.
//!
//! A definition that changed is a new revision in the catalogue, and the server goes on. A project file or template that changed is a
//! new server on the same address, when requests and tasks in flight have ended. What cannot be used is told, and what was there before
//! stays. The code of functions is looked at by their own workers, with and without `--watch`.

use super::declared::{declared, files};
use super::{Serve, Setup, load};
use crate::common::place;
use crate::common::watch::{LOOK, Watched};
use crate::exit::Trouble;
use crate::render::log::Log;
use crate::render::text::counted;
use crate::terminal::say;
use asl::project::Project;
use asl_server::Declarer;
use std::path::Path;
use std::sync::Arc;

/// Brings definitions that change into the catalogue, until the project itself is another one that can be used. It does not end where
/// nothing is to be watched.
pub(super) async fn changed(args: &Serve, project: &Project, declarer: &Declarer, log: &Arc<Log>) -> Box<Setup> {
    if !args.watch {
        return std::future::pending().await;
    }
    let mut project_files = Watched::of(project.files());
    let mut definitions = Watched::of(files(project).unwrap_or_default());
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(file) = project_files.look() {
            match load(args).and_then(|project| Setup::of(args, project, log)) {
                Ok(setup) => {
                    let within = args.working.drain_timeout;
                    log.say(&format!(
                        "{} has changed: it is reloaded when requests and tasks in flight have ended, within {within} s\n",
                        place::shorter(&file).display()
                    ));
                    return Box::new(setup);
                }
                Err(trouble) => unusable(&file, trouble, log),
            }
        }
        if let Some(file) = definitions.look_at(files(project).unwrap_or_default()) {
            match declare(project, declarer, log).await {
                Ok(told) => log.say(&format!("{} has changed: {told}\n", place::shorter(&file).display())),
                Err(trouble) => unusable(&file, trouble, log),
            }
        }
    }
}

/// Brings all definitions into the catalogue; says which are new there.
async fn declare(project: &Project, declarer: &Declarer, log: &Log) -> Result<String, Trouble> {
    let changed = declarer.declare(&declared(project, log)?).await.map_err(super::refused)?;
    Ok(match &changed[..] {
        [] => "no state machine is another one".to_owned(),
        names => format!("{} new or changed: {}", counted(names.len() as u64, "state machine"), names.join(", ")),
    })
}

fn unusable(file: &Path, trouble: Trouble, log: &Log) {
    trouble.tell(log.look);
    let file = place::shorter(file);
    say(&format!(
        "{}: {} has changed and cannot be used; the server goes on as before\n",
        log.look.warn("warning"),
        file.display()
    ));
}
