//! The project of a definition: the file `asl.toml` beside it, which binds the definition's `${...}` and declares the
//! functions, tables, topics, queues and buckets that its tasks use.
//!
//! ```
//! use asl::project::Project;
//!
//! # let folder = tempfile::tempdir()?;
//! let file = folder.path().join("asl.toml");
//! std::fs::write(&file, r#"
//!     [substitutions]
//!     FareTable = "Fares"
//!
//!     [tables.Fares]
//!     HashKey = "fareId"
//! "#)?;
//! let project = Project::load(&file)?;
//! assert_eq!(project.substitutions["FareTable"], "Fares");
//! assert_eq!(project.database(), folder.path().join(".asl/asl.db"));
//!
//! std::fs::write(&file, "[tables.Fares]\nHashKy = 'fareId'\n")?;
//! let told = Project::load(&file).unwrap_err().to_string();
//! assert!(told.contains("asl.toml:2:1: unknown key `HashKy`"), "{told}");
//! assert!(told.contains("help: did you mean `HashKey`?"), "{told}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything is found before anything runs: [`Project::load`] checks the file and the declared services,
//! [`Project::functions`] that every function's code is there, [`Project::source`] that every `${...}` has a value, and
//! [`Project::check`] that a definition calls nothing that the project does not declare.

mod aws;
mod code;
mod declared;
mod environment_file;
mod error;
mod file;
mod machines;
mod opened;
mod place;
mod read;
mod retention;
mod samconfig;
#[cfg(feature = "schema")]
mod schema;
mod stack;
mod tasks;
mod template;

pub use error::{Problem, ProjectError};
pub use file::QuotaSpec;
pub use opened::{Opened, Wanted, is_template, machine_name};
pub use retention::Retention;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use stack::StackOptions;
pub use tasks::ProjectTask;
pub use template::{Declared, Definition as DefinitionPlace, Machine};

use asl_function::{Code, FunctionSpec, Functions, LogSink};
use asl_syntax::Source;
use asl_task::aws::Aws;
use asl_task::bucket::Buckets;
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::function::FunctionSet;
use asl_task::http::Http;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of a project file.
pub const FILE_NAME: &str = "asl.toml";
/// Where a project keeps its database, from its folder.
pub const DATABASE: &str = ".asl/asl.db";

/// A project: what definitions are bound to, and where they run.
#[derive(Clone, Debug)]
pub struct Project {
    /// The project file; none for a definition without one.
    pub file: Option<PathBuf>,
    /// The folder that paths in the file are relative to: its own, or the definition's where there is no file.
    pub root: PathBuf,
    /// Region and account, which make up ARNs: `us-east-1` and `000000000000` unless the file says otherwise.
    pub identity: Identity,
    /// The values of `${...}`.
    pub substitutions: BTreeMap<String, String>,
    /// The declared functions, their paths resolved.
    pub functions: Vec<FunctionSpec>,
    /// The declared tables, topics and queues.
    pub services: ServicesSpec,
    /// The declared buckets: the folders that stand for them.
    pub buckets: BTreeMap<String, PathBuf>,
    /// The services that tasks call at AWS, and how it is reached.
    pub aws: Aws,
    /// What HTTP tasks may use: connections, and private hosts.
    pub http: Http,
    /// How long workers keep executions that have ended; `None` for ever.
    pub retention: Option<Retention>,
    /// What `asl serve` is told.
    pub server: ServerSettings,
    /// The file's text, for places.
    text: Arc<str>,
    /// The template, where there is one.
    stack: Option<Arc<stack::Stack>>,
}

/// What a server is told: files, their paths resolved, and quotas.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// The access keys that it lets in; `None` for anybody on this machine.
    pub credentials: Option<PathBuf>,
    /// The certificate that it shows, and its key; `None` for plain HTTP.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// It has AWS's quotas of requests.
    pub quotas_of_aws: bool,
    /// Quotas of single operations, by their names.
    pub quotas: BTreeMap<String, QuotaSpec>,
}

/// From the names of resources to the ids that they have in a template.
#[derive(Clone, Debug, Default)]
pub struct Called(BTreeMap<String, String>);

impl Called {
    /// The logical id of what is named so, or the name itself.
    pub fn of<'n>(&'n self, name: &'n str) -> &'n str {
        self.0.get(name).map_or(name, String::as_str)
    }
}

impl Project {
    /// A project that declares nothing, for definitions in `root`.
    pub fn empty(root: impl Into<PathBuf>) -> Project {
        let identity = asl_function::Identity::default();
        Project {
            file: None,
            root: root.into(),
            identity: Identity::new(identity.region, identity.account),
            substitutions: BTreeMap::new(),
            functions: Vec::new(),
            services: ServicesSpec::default(),
            buckets: BTreeMap::new(),
            aws: Aws::default(),
            http: Http::default(),
            retention: None,
            server: ServerSettings::default(),
            text: "".into(),
            stack: None,
        }
    }

    /// Reads a project file and checks everything in it but the functions' code.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has an unknown key or a wrong value, or its declarations do not fit together.
    pub fn load(file: &Path) -> Result<Project, ProjectError> {
        Project::load_with(file, &StackOptions::default())
    }

    /// Reads a project file or a template, whose stack is made with these options.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn load_with(file: &Path, options: &StackOptions) -> Result<Project, ProjectError> {
        if is_template(file) { Project::of_template(file, None, options) } else { read::load(file, None, options) }
    }

    /// The project file for a definition (or any file or folder): the nearest `asl.toml` or template (`template.yaml`,
    /// `template.yml`, `template.json`) in its folder or one above. In one folder `asl.toml` comes first.
    pub fn find(start: &Path) -> Option<PathBuf> {
        let start = std::path::absolute(start).ok()?;
        start.ancestors().find_map(Project::in_folder)
    }

    /// The project file or template of a folder.
    pub fn in_folder(folder: &Path) -> Option<PathBuf> {
        let own = Some(folder.join(FILE_NAME)).filter(|file| file.is_file());
        own.or_else(|| opened::template_in(folder))
    }

    /// The project of a definition: `explicit` if it is given, else the nearest one, else an empty one in its folder.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn of_definition(definition: &Path, explicit: Option<&Path>) -> Result<Project, ProjectError> {
        Project::of_definition_with(definition, explicit, &StackOptions::default())
    }

    /// The same, with what the stack of a template is made with.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn of_definition_with(
        definition: &Path,
        explicit: Option<&Path>,
        options: &StackOptions,
    ) -> Result<Project, ProjectError> {
        let found = explicit.map(Path::to_owned).or_else(|| Project::find(definition));
        match found {
            Some(file) => Project::load_with(&file, options),
            None => {
                let definition = std::path::absolute(definition).unwrap_or_else(|_| definition.to_owned());
                Ok(Project::empty(definition.parent().unwrap_or(Path::new("."))))
            }
        }
    }

    /// What a resource is called: the name of the template's resource with this logical id, or `name` itself.
    pub fn physical<'n>(&'n self, name: &'n str) -> &'n str {
        let found = self.resources().iter().find(|resource| resource.id == name);
        found.map_or(name, |resource| &resource.name)
    }

    /// How people call functions: by the logical ids of the template, where there is one.
    pub fn called(&self) -> Called {
        Called(self.resources().iter().map(|resource| (resource.name.clone(), resource.id.clone())).collect())
    }

    /// The files that say what the project is: its project file, its template, and what the template is deployed with.
    pub fn files(&self) -> Vec<PathBuf> {
        let template = self.stack.as_ref().map(|stack| stack.file.clone());
        let config = template.as_ref().map(|file| file.with_file_name(samconfig::FILE_NAME));
        self.file.iter().cloned().chain(template).chain(config).collect()
    }

    /// The resources of its template; none where there is no template.
    pub fn resources(&self) -> &[Declared] {
        self.stack.as_ref().map_or(&[], |stack| &stack.resources)
    }

    /// The state machines of its template.
    pub fn machines(&self) -> &[Machine] {
        self.stack.as_ref().map_or(&[], |stack| &stack.machines)
    }

    /// The file that holds the definition of one of its template's state machines; none where the template holds it.
    pub fn definition_file(&self, machine: &Machine) -> Option<PathBuf> {
        stack::definition_file(self.stack.as_ref()?, machine)
    }

    /// What is worth a quiet line about its template: resources that are passed over, packages that are not installed.
    pub fn notes(&self) -> &[Problem] {
        self.stack.as_ref().map_or(&[], |stack| &stack.notes)
    }

    /// What is wrong with resources of its template that not everything needs.
    pub fn broken(&self) -> Vec<Problem> {
        let absent = self.stack.as_ref().map_or(&[][..], |stack| &stack.absent);
        absent
            .iter()
            .filter(|absent| absent.broken && !self.has_function(&absent.name))
            .map(|absent| (*absent.problem).clone())
            .collect()
    }

    fn has_function(&self, name: &str) -> bool {
        self.functions.iter().any(|spec| spec.name == name)
    }

    /// Where its executions, items and messages are kept: `.asl/asl.db` in its folder.
    pub fn database(&self) -> PathBuf {
        self.root.join(DATABASE)
    }

    /// The text of a definition with its `${...}` replaced. `name` is what messages call it.
    ///
    /// # Errors
    /// A `${...}` has no value: every one, with its place in the definition.
    pub fn source(&self, name: &str, text: &str) -> Result<Source, ProjectError> {
        Source::with_substitutions(name, text, &self.substitutions).map_err(|missing| {
            let problems = missing.bindings.into_iter().map(|binding| {
                let key = &binding.key;
                let add = match &self.file {
                    Some(file) => format!("add `{key} = \"...\"` under [substitutions] in {}", shown(file)),
                    None => format!(
                        "put a file {FILE_NAME} beside the definition, with `{key} = \"...\"` under [substitutions]"
                    ),
                };
                let near = binding.suggestion.map(|near| format!("did you mean `${{{near}}}`? or "));
                let mut problem = Problem::new(name, text, format!("no value is given for `${{{key}}}`"));
                problem.span = binding.spans.first().copied();
                problem.labels = binding.spans.iter().skip(1).map(|span| (*span, "and here".to_owned())).collect();
                problem.help = Some(near.unwrap_or_default() + &add);
                problem
            });
            ProjectError { problems: problems.collect() }
        })
    }

    /// The text of a definition without a project, for a look at it: its `${...}` stand as they are, or something stands in for
    /// them; and which need a value.
    pub fn unbound(&self, name: &str, text: &str) -> (Source, Vec<Problem>) {
        opened::unbound(self, name, text)
    }

    /// The declared functions, ready to be invoked. Starts nothing.
    ///
    /// # Errors
    /// A function's file is not there, its handler is malformed, its interpreter is not installed: every one of them.
    pub fn functions(&self, log: LogSink) -> Result<FunctionSet, ProjectError> {
        let identity =
            asl_function::Identity { region: self.identity.region.clone(), account: self.identity.account.clone() };
        for inline in self.stack.iter().flat_map(|stack| &stack.inline) {
            code::write(inline).map_err(|problem| {
                Problem::new(&shown(&inline.0), "", format!("the code of the template cannot be written: {problem}"))
            })?;
        }
        let ignore: LogSink = Arc::new(|_| {});
        let problems: Vec<Problem> = self
            .functions
            .iter()
            .filter_map(|spec| {
                let error = Functions::new(vec![spec.clone()], ignore.clone(), identity.clone()).err()?;
                Some(self.function_problem(spec, &error))
            })
            .collect();
        if !problems.is_empty() {
            return Err(ProjectError { problems });
        }
        let whole = |error: asl_function::SpecError| Problem::new(&self.shown_file(), &self.text, error.to_string());
        let functions = Functions::new(self.functions.clone(), log, identity).map_err(whole)?;
        Ok(FunctionSet::new(self.identity.clone()).with_processes(functions))
    }

    /// The declared tables, topics and queues, ready to be called.
    ///
    /// # Errors
    /// The declarations do not fit together; never after [`Project::load`], which has checked that.
    pub fn services(&self) -> Result<Services, ProjectError> {
        Services::new(&self.services, self.identity.clone()).map_err(|errors| ProjectError {
            problems: errors.iter().map(|error| self.service_problem(error)).collect(),
        })
    }

    /// The declared buckets, ready to be read and written.
    pub fn buckets(&self) -> Buckets {
        let own = self.root.join(stack::BUCKETS);
        let made = self.buckets.iter().filter(|(_, folder)| folder.starts_with(&own)).map(|(name, _)| name.clone());
        Buckets::new(self.buckets.clone()).made_when_needed(made)
    }

    fn shown_file(&self) -> String {
        let template = || self.stack.as_ref().map(|stack| stack.name.clone());
        self.file.as_deref().map(shown).or_else(template).unwrap_or_default()
    }

    fn function_problem(&self, spec: &FunctionSpec, error: &asl_function::SpecError) -> Problem {
        use asl_function::SpecError;
        let key = match (&spec.code, error) {
            (Code::Url { .. }, _) => "Url",
            (Code::Command { .. }, SpecError::File { .. } | SpecError::Program { .. }) => "Command",
            (_, SpecError::Handler { .. }) => "Handler",
            (_, SpecError::Range { field, .. }) if *field == "timeout_ms" => "Timeout",
            (_, SpecError::Range { .. }) => "Concurrency",
            (_, SpecError::File { .. }) => "File",
            (_, SpecError::Interpreter { .. }) => "Runtime",
            _ => "",
        };
        let place = format!("functions.{}", spec.name);
        let at = place::find(&self.text, &format!("{place}.{key}")).or_else(|| place::find(&self.text, &place));
        let (message, help) = match error {
            SpecError::File { path, problem, .. } => {
                (format!("function `{}`: {} {problem}", spec.name, shown(path)), FILE_HELP)
            }
            _ => (error.to_string(), None),
        };
        let mut problem = Problem::new(&self.shown_file(), &self.text, message);
        problem.span = at;
        problem.help = help.map(str::to_owned);
        problem
    }
}

const FILE_HELP: Option<&str> = Some("paths are relative to the project file");

/// A path as people want to read it: without the working folder in front.
pub(crate) fn shown(path: &Path) -> String {
    let inside = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    inside.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests;
