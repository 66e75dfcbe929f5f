//! `asl serve`: AWS Step Functions' API over HTTP. It is a worker as `asl worker` is one.

mod declared;
mod watch;

use super::worker::{functions, keep};
use crate::args::{BackendChoices, Place, Working};
use crate::common::definition::note;
use crate::common::engine::engine;
use crate::common::interrupt::Interrupt;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::blame::Sources;
use crate::render::log::Log;
use crate::render::look::Look;
use crate::render::text::counted;
use asl::parts::mock::Mocks;
use asl::project::Project;
use asl::{Database, Engine, EngineError, FunctionSet};
use asl_server::door::Door;
use asl_server::quota::{Quota, Quotas};
use asl_server::tls::{Tls, TlsError};
use asl_server::{Limits, Listener, Server};
use clap::Args;
use declared::declared;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Reload the project, its definitions and its functions when their files change; executions that run keep the definition they began with
    #[arg(long)]
    pub(crate) watch: bool,
    /// The console in the browser only shows and does not act; the API is not changed by this
    #[arg(long)]
    pub(crate) read_only: bool,
    #[command(flatten)]
    pub(crate) working: Working,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What a server is made of that may change while it runs.
struct Setup {
    project: Project,
    functions: FunctionSet,
    door: Door,
    tls: Option<Tls>,
    quotas: Quotas,
}

impl Setup {
    fn of(args: &Serve, project: Project, log: &Arc<Log>) -> Result<Setup, Trouble> {
        let (door, tls, quotas) = (door(args, &project)?, tls(&project)?, quotas(&project)?);
        let functions = functions(&project, log)?;
        Ok(Setup { project, functions, door, tls, quotas })
    }
}

/// Why a server ends.
enum End {
    /// It was told to.
    Told,
    /// The engine cannot go on.
    Lost(EngineError),
    /// The project is another one.
    Changed(Box<Setup>),
}

pub(crate) async fn serve(mut args: Serve) -> Result<Exit, Trouble> {
    args.place.project = args.file.take().or(args.place.project);
    let project = load(&args)?;
    let log = Arc::new(Log::new(Look::of_stderr(), args.working.quiet, Sources::of(&project)));
    if !args.working.quiet {
        note(project.notes(), log.look);
    }
    let mut setup = Setup::of(&args, project, &log)?;
    asl_server::raise_open_files();
    let mut signals = Interrupt::listen()?;
    let database = place::database_of(&args.place, &setup.project);
    let journal = place::write(&database).await?;
    let mut listener = Some(Listener::bind(SocketAddr::new(args.listen, args.port)).await.map_err(refused)?);
    loop {
        // Without --watch the server has the address to itself: when it ends, clients that connect later are refused at once.
        let Some(listener) = (if args.watch { listener.clone() } else { listener.take() }) else { break };
        let (engine, end) = answer(&args, setup, (&journal, &database), listener, &log, &mut signals).await?;
        if let End::Lost(lost) = end {
            engine.shutdown().await?;
            journal.close().await;
            return Err(lost.into());
        }
        tokio::select! {
            drained = engine.drain(args.working.drain()) => drained?,
            () = signals.came() => return Ok(Exit::Interrupted),
        }
        match end {
            End::Changed(next) => setup = *next,
            End::Told | End::Lost(_) => break,
        }
    }
    let open = journal.counts().await?.get(&asl::Status::Running).copied().unwrap_or(0);
    journal.close().await;
    log.say(&format!("stopped; {} in {}\n", counted(open, "open execution"), place::shorter(&database).display()));
    Ok(Exit::Done)
}

fn load(args: &Serve) -> Result<Project, Trouble> {
    let mut project = place::project_or_here(&args.place)?;
    project.aws = args.backends.over(&project.aws);
    Ok(project)
}

/// Answers with one setup, until something ends that. The engine is to be drained.
async fn answer(
    args: &Serve,
    setup: Setup,
    (journal, database): (&Database, &Path),
    listener: Listener,
    log: &Arc<Log>,
    signals: &mut Interrupt,
) -> Result<(Engine, End), Trouble> {
    let Setup { mut project, functions, door, tls, quotas } = setup;
    let declared = declared(&project, log)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    // Clients make queues, tables and activities at run time, and the URLs of queues lead here.
    let reached = if args.listen.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { args.listen };
    let reached = SocketAddr::new(reached, listener.address().port());
    project.identity = project.identity.clone().at(format!("{scheme}://{reached}"));
    let services = project.services()?.open_to_clients();
    let engine = engine(SERVER, &project, functions, Mocks::default(), journal, None)?
        .services(services)
        .max_active(args.max_active as usize)
        .max_memory(args.working.max_memory)
        .observer(log.clone())
        .build();
    let drain = args.working.drain();
    let server = Server::new(engine.clone(), project.identity.clone())
        .limits(Limits { drain, ..Limits::default() })
        .door(door)
        .tls(tls)
        .quotas(quotas)
        .read_only_console(args.read_only);
    let declarer = server.declarer();
    let changed = declarer.declare(&declared).await.map_err(refused)?;
    let bound = server.on(listener);
    engine.serve().await?;
    tell(log, &format!("{scheme}://{}", bound.address()), database, &changed, declared.len());
    let mut end = End::Told;
    bound
        .serve(async {
            tokio::select! {
                why = engine.stopped() => end = End::Lost(why),
                () = keep(journal, project.retention, log) => {}
                next = watch::changed(args, &project, &declarer, log) => end = End::Changed(next),
                () = signals.came() => {}
            }
            if !matches!(end, End::Changed(_)) {
                log.say(&format!("stopping within {} s\n", args.working.drain_timeout));
            }
        })
        .await;
    Ok((engine, end))
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

/// How many requests of each operation are answered.
fn quotas(project: &Project) -> Result<Quotas, Trouble> {
    let quotas = if project.server.quotas_of_aws { Quotas::aws() } else { Quotas::default() };
    project.server.quotas.iter().try_fold(quotas, |quotas, (operation, quota)| {
        let quota = Quota { bucket: quota.bucket, per_second: quota.per_second };
        quotas.with(operation, quota).map_err(|near| {
            let hint = near
                .map_or("name it as the API does: StartExecution".to_owned(), |near| format!("did you mean {near}?"));
            Trouble::new(format!("[server.quotas.{operation}]: there is no operation {operation}")).hint(hint)
        })
    })
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
