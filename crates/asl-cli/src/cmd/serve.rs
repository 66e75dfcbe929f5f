//! `asl serve`: AWS Step Functions' API over HTTP. It is a worker as `asl worker` is one.

use super::worker::{functions, keep};
use crate::args::{BackendChoices, Place};
use crate::common::definition::note;
use crate::common::engine::engine;
use crate::common::find::below;
use crate::common::interrupt::Interrupt;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::blame::Sources;
use crate::render::log::Log;
use crate::render::look::Look;
use crate::render::snippet::Finding;
use crate::terminal::say;
use asl::parts::mock::Mocks;
use asl::parts::syntax::{Kind, Severity};
use asl::project::{Opened, Project, ProjectError, Wanted};
use asl_server::door::Door;
use asl_server::tls::{Tls, TlsError};
use asl_server::{Declared, Limits, Listener, Server};
use clap::Args;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What other processes see.
pub(crate) const SERVER: &str = "asl serve";

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The project file or template, as --project names it
    #[arg(value_name = "PROJECT", conflicts_with = "project")]
    pub(crate) file: Option<PathBuf>,
    /// The port; 0 takes any that is free
    #[arg(long, short, value_name = "PORT", default_value_t = 8083)]
    pub(crate) port: u16,
    /// The address to listen on; one that other machines reach needs credentials
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) listen: IpAddr,
    /// A file of access keys, as ~/.aws/credentials is one: only what is signed with one of them is answered [default: $ASL_CREDENTIALS,
    /// or the project file's]
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,
    /// Listen where other machines reach it, without credentials: any client that reaches it runs what it likes
    #[arg(long)]
    pub(crate) allow_anyone: bool,
    /// The most executions in memory at once; those that only wait do not count
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_active: u32,
    /// The most bytes of inputs, variables and results in memory before no other execution is let in (K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = crate::args::size)]
    pub(crate) max_memory: usize,
    /// When told to stop, how long requests and tasks in flight may go on, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain_timeout: u32,
    /// The console in the browser only shows and does not act; the API is not changed by this
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn serve(mut args: Serve) -> Result<Exit, Trouble> {
    args.place.project = args.file.take().or(args.place.project);
    let address = SocketAddr::new(args.listen, args.port);
    let mut project = place::project_or_here(&args.place)?;
    let door = door(&args, &project)?;
    let tls = tls(&project)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    project.aws = args.backends.over(&project.aws);
    let log = Arc::new(Log::new(Look::of_stderr(), args.quiet, Sources::of(&project)));
    if !args.quiet {
        note(project.notes(), log.look);
    }
    let declared = declared(&project, &log)?;
    let functions = functions(&project, &log)?;
    let mut signals = Interrupt::listen()?;
    let database = place::database_of(&args.place, &project);
    let journal = place::write(&database).await?;
    let listener = Listener::bind(address).await.map_err(refused)?;
    // Clients make queues, tables and activities at run time, and the URLs of queues lead here.
    let reached = if args.listen.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { args.listen };
    let reached = SocketAddr::new(reached, listener.address().port());
    project.identity = project.identity.clone().at(format!("{scheme}://{reached}"));
    let services = project.services()?.open_to_clients();
    let builder = engine(SERVER, &project, functions, Mocks::default(), &journal, None);
    let engine = builder?
        .services(services)
        .max_active(args.max_active as usize)
        .max_memory(args.max_memory)
        .observer(log.clone())
        .build();
    let drain = Duration::from_secs(args.drain_timeout.into());
    let limits = Limits { drain, ..Limits::default() };
    let server = Server::new(engine.clone(), project.identity.clone())
        .limits(limits)
        .door(door)
        .tls(tls)
        .read_only_console(args.read_only);
    let changed = server.declare(&declared).await.map_err(refused)?;
    let bound = server.on(listener);
    engine.serve().await?;
    tell(&log, &format!("{scheme}://{}", bound.address()), &database, &changed, declared.len());
    let mut lost = None;
    bound
        .serve(async {
            tokio::select! {
                why = engine.stopped() => lost = Some(why),
                () = keep(&journal, project.retention, &log) => {}
                () = signals.came() => {}
            }
            log.say(&format!("stopping within {} s\n", args.drain_timeout));
        })
        .await;
    if let Some(lost) = lost {
        engine.shutdown().await?;
        journal.close().await;
        return Err(lost.into());
    }
    tokio::select! {
        drained = engine.drain(drain) => drained?,
        () = signals.came() => return Ok(Exit::Interrupted),
    }
    let open = journal.counts().await?.get(&asl::Status::Running).copied().unwrap_or(0);
    journal.close().await;
    let s = if open == 1 { "" } else { "s" };
    log.say(&format!("stopped; {open} open execution{s} in {}\n", place::shorter(&database).display()));
    Ok(Exit::Done)
}

/// Which clients are let in: all of them where only this machine reaches the address.
fn door(args: &Serve, project: &Project) -> Result<Door, Trouble> {
    let variable = || std::env::var_os("ASL_CREDENTIALS").filter(|file| !file.is_empty()).map(PathBuf::from);
    let file = args.credentials.clone().or_else(variable).or_else(|| project.server.credentials.clone());
    let Some(file) = file else {
        if args.listen.is_loopback() || args.allow_anyone {
            return Ok(Door::open());
        }
        let message = format!("{} can be reached from other machines, and there are no credentials", args.listen);
        return Err(Trouble::new(message)
            .hint("name a file of access keys with --credentials; --allow-anyone does without, at your own risk"));
    };
    let shown = place::shorter(&file);
    let text = std::fs::read_to_string(&file).map_err(|problem| {
        Trouble::new(format!("the credentials {} cannot be read: {problem}", shown.display())).hint("check the path")
    })?;
    Door::with_keys(&text).map_err(|problem| {
        Trouble::new(format!("the credentials {} are not in order: {problem}", shown.display()))
            .hint("each section has aws_access_key_id and aws_secret_access_key, as in ~/.aws/credentials")
    })
}

/// The certificate that clients are shown, where the project names one.
fn tls(project: &Project) -> Result<Option<Tls>, Trouble> {
    let Some((certificate, key)) = &project.server.certificate else { return Ok(None) };
    let told = |problem: TlsError| {
        let hint = match &problem {
            TlsError::File { .. } => {
                "`Certificate` and `Key` of [server] name PEM files: -----BEGIN CERTIFICATE-----, and a private key"
            }
            TlsError::Unfit { .. } => "`Key` of [server] has to be the key of the first certificate in `Certificate`",
        };
        Trouble::new(problem.to_string()).hint(hint)
    };
    Tls::read(certificate, key).map(Some).map_err(told)
}

fn refused(error: asl_server::ServerError) -> Trouble {
    let hint = match &error {
        asl_server::ServerError::Address { .. } => {
            "another process may have it: --port takes another, 0 any that is free"
        }
        _ => "`asl check` shows the place",
    };
    Trouble::new(error.to_string()).hint(hint)
}

/// Where it listens, and what a client has to know.
fn tell(log: &Log, url: &str, database: &Path, changed: &[String], declared: usize) {
    let of_project = match (declared, changed.len()) {
        (0, _) => String::new(),
        (all, 0) => format!("; {all} of the project's state machines are as they were"),
        (all, new) => format!("; {new} of the project's {all} state machines are new or changed"),
    };
    log.say(&format!("serving {} on {url}{of_project}\n", place::shorter(database).display()));
    log.say(&format!("  export AWS_ENDPOINT_URL={url} AWS_DISABLE_HOST_PREFIX_INJECTION=true\n"));
    log.say(&format!(
        "{}\n",
        log.look.dim("  without the second one, clients look for sync-<host> to start synchronous executions and to test states; Ctrl-C stops")
    ));
}

/// The definitions of the project: those of its template, or the files `*.asl.json`, `*.asl.yaml` and `*.asl.yml` below its folder,
/// but for folders that are projects of their own. One that does not load is told, and left out.
fn declared(project: &Project, log: &Log) -> Result<Vec<Declared>, Trouble> {
    let opened: Vec<Result<Opened, ProjectError>> = match project.machines() {
        [] if project.file.is_none() => Vec::new(),
        [] => {
            let files = below(&project.root, is_definition)?;
            let own = files.iter().filter(|file| !is_elsewhere(project, file));
            own.map(|file| Project::open(file, project.file.as_deref(), &Wanted::default())).collect()
        }
        machines => machines.iter().map(|machine| project.open_machine(&machine.id)).collect(),
    };
    let mut declared = Vec::new();
    for opened in opened {
        match opened.map_err(Trouble::from).and_then(declare) {
            Ok(machine) => declared.push(machine),
            Err(trouble) => {
                trouble.tell(log.look);
                say(&format!("{}: that definition is no state machine here\n", log.look.warn("warning")));
            }
        }
    }
    Ok(declared)
}

/// True for a file in a folder below the project's that has a project file of its own.
fn is_elsewhere(project: &Project, file: &Path) -> bool {
    let folders = file.ancestors().skip(1).take_while(|folder| **folder != *project.root);
    folders.into_iter().any(|folder| Project::in_folder(folder).is_some())
}

fn declare(opened: Opened) -> Result<Declared, Trouble> {
    let loaded = asl::parts::syntax::load(&opened.source, &opened.options);
    if loaded.definition.is_none() {
        let findings: Vec<Finding> = crate::common::definition::findings(&opened.source, &loaded, Severity::Error);
        return Err(Trouble::Places(findings));
    }
    let kind = if opened.options.kind == Kind::Express { "EXPRESS" } else { "STANDARD" };
    Ok(Declared { name: opened.name, kind, definition: opened.source.text().to_string() })
}

fn is_definition(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    [".asl.json", ".asl.yaml", ".asl.yml"].iter().any(|end| name.ends_with(end))
}
