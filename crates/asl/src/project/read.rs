//! From the text of `asl.toml` to a [`Project`].

use super::error::{Problem, ProjectError};
use super::file::{BucketSpec, File, Function, Runtime, ServerSpec, Setting, Substitution, TemplateSpec, WhoseQuotas};
use super::stack::{self, StackOptions};
use super::{FILE_NAME, Project, ServerSettings, environment_file, place, shown};
use asl_function::{Code, FunctionSpec};
use asl_task::embedded::{Identity, QueueSpec, Services, SpecError, TableSpec, TopicSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A project without a project file: a template alone.
pub(super) fn template_alone(template: &Path, options: &StackOptions) -> Result<Project, ProjectError> {
    let absolute = std::path::absolute(template).unwrap_or_else(|_| template.to_owned());
    let mut project = Project::empty(absolute.parent().unwrap_or(Path::new("/")));
    stack::add(&mut project, &absolute, options, BTreeMap::new())?;
    project.services.functions = project.functions.iter().map(|spec| spec.name.clone()).collect();
    match Services::new(&project.services, project.identity.clone()) {
        Ok(_) => Ok(project),
        Err(errors) => {
            Err(ProjectError { problems: errors.iter().map(|error| project.service_problem(error)).collect() })
        }
    }
}

/// Reads a project file, with the template that it names, or `template` instead.
pub(super) fn load(file: &Path, template: Option<&Path>, options: &StackOptions) -> Result<Project, ProjectError> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let name = shown(&file);
    let text = std::fs::read_to_string(&file).map_err(|problem| {
        let mut unread = Problem::new(&name, "", format!("the project file cannot be read: {problem}"));
        unread.help = Some(format!("check the path; a project file is usually called {FILE_NAME}"));
        unread
    })?;
    let parsed: File = toml::from_str(&text).map_err(|error| toml_problem(&name, &text, &error))?;

    let mut project = Project::empty(file.parent().unwrap_or(Path::new("/")));
    project.text = text.as_str().into();
    project.file = Some(file.clone());
    let mut problems = Vec::new();
    let mut reader = Reader { name: &name, text: &text, root: &project.root, problems: &mut problems };
    project.identity = reader.identity(&parsed, &project.identity);
    project.aws = reader.aws(&parsed);
    project.http = reader.http(&parsed, &project.identity.region);
    let server = reader.server(parsed.server.as_ref());
    let functions: Vec<FunctionSpec> =
        parsed.functions.iter().filter_map(|(name, f)| reader.function(name, f)).collect();
    let buckets: Vec<_> = parsed.buckets.iter().filter_map(|(name, b)| reader.bucket(name, b)).collect();
    if let Some((template, options, imports)) = template_of(&parsed, &project.root, template, options) {
        stack::add(&mut project, &template, &options, imports)?;
    }
    let declared: BTreeSet<String> = parsed.functions.keys().cloned().collect();
    let mut reader = Reader { name: &name, text: &text, root: &project.root, problems: &mut problems };
    project.substitutions = reader.substitutions(&parsed, &project);
    project.add(functions, parsed.tables, parsed.topics, parsed.queues);
    let activities =
        parsed.activities.into_iter().map(|(name, activity)| (project.physical(&name).to_owned(), activity));
    let activities: Vec<_> = activities.collect();
    project.services.activities.extend(activities);
    project.services.buses.extend(parsed.buses);
    project.services.rules.extend(parsed.rules);
    project.buckets.extend(buckets);
    project.retention = parsed.retention;
    project.server = server;
    let own = declared.iter().map(|name| project.physical(name).to_owned());
    project.services.functions = own.chain(project.functions.iter().map(|spec| spec.name.clone())).collect();
    if let Err(errors) = Services::new(&project.services, project.identity.clone()) {
        problems.extend(errors.iter().map(|error| project.service_problem(error)));
    }
    match problems.is_empty() {
        true => Ok(project),
        false => Err(ProjectError { problems }),
    }
}

/// The template of a project file, and what its stack is made with; the command comes before the file.
fn template_of(
    parsed: &File,
    root: &Path,
    template: Option<&Path>,
    options: &StackOptions,
) -> Option<(PathBuf, StackOptions, BTreeMap<String, String>)> {
    let spec = parsed.template.as_ref();
    let file = template.map(Path::to_owned).or_else(|| spec.map(|spec| root.join(&spec.file)))?;
    let settings = |settings: &BTreeMap<String, Setting>| {
        settings.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect::<BTreeMap<_, _>>()
    };
    // Another template than the file's own has other parameters.
    let same =
        |spec: &&TemplateSpec| std::fs::canonicalize(root.join(&spec.file)).ok() == std::fs::canonicalize(&file).ok();
    let mut parameters = spec.filter(same).map(|spec| settings(&spec.parameters)).unwrap_or_default();
    parameters.extend(options.parameters.clone());
    let name = options.name.clone().or_else(|| spec.and_then(|spec| spec.stack_name.clone()));
    let imports = spec.map(|spec| settings(&spec.imports)).unwrap_or_default();
    Some((file, StackOptions { name, parameters }, imports))
}

impl Project {
    /// Adds what a project file declares, in the place of what a template declares under the same name or logical id.
    fn add(
        &mut self,
        functions: Vec<FunctionSpec>,
        tables: BTreeMap<String, TableSpec>,
        topics: BTreeMap<String, TopicSpec>,
        queues: BTreeMap<String, QueueSpec>,
    ) {
        for mut spec in functions {
            spec.name = self.physical(&spec.name).to_owned();
            self.functions.retain(|other| other.name != spec.name);
            self.functions.push(spec);
        }
        let named = |name: String| self.physical(&name).to_owned();
        let tables: Vec<_> = tables.into_iter().map(|(name, table)| (named(name), table)).collect();
        let queues: Vec<_> = queues.into_iter().map(|(name, queue)| (named(name), queue)).collect();
        let mut topics: Vec<_> = topics.into_iter().map(|(name, topic)| (named(name), topic)).collect();
        for subscription in topics.iter_mut().flat_map(|(_, topic)| &mut topic.subscriptions) {
            subscription.endpoint = named(std::mem::take(&mut subscription.endpoint));
        }
        self.services.tables.extend(tables);
        self.services.queues.extend(queues);
        self.services.topics.extend(topics);
    }

    /// A problem of the declared services, at its place in the project file or in the template.
    pub(super) fn service_problem(&self, error: &SpecError) -> Problem {
        let own = service_problem(&self.shown_file(), &self.text, error);
        let Some(stack) = self.stack.as_ref().filter(|_| own.span.is_none()) else { return own };
        match stack.place(&error.place) {
            Some(span) => *stack.problem(span, &error.problem, &error.hint),
            None => own,
        }
    }
}

/// The virtual environment nearest to a function's code: `.venv` or `venv`, beside it or above, not beyond the project.
pub(super) fn virtual_env(project: &Path, code: &Path) -> Option<PathBuf> {
    let folders = code.ancestors().take_while(|folder| folder.starts_with(project));
    let candidates = folders.flat_map(|folder| [".venv", "venv"].map(|name| folder.join(name)));
    candidates.into_iter().find(|folder| folder.join("pyvenv.cfg").is_file())
}

fn service_problem(file: &str, text: &str, error: &SpecError) -> Problem {
    let mut problem = Problem::new(file, text, &error.problem);
    problem.span = place::find(text, &error.place);
    if problem.span.is_none() {
        problem.message = format!("{}: {}", error.place, error.problem);
    }
    problem.help = Some(error.hint.clone());
    problem
}

/// serde's words, made into ours.
fn toml_problem(file: &str, text: &str, error: &toml::de::Error) -> Problem {
    let said = error.message();
    let quoted: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    let (message, help) = match quoted.split_first() {
        Some((key, known)) if said.starts_with("unknown field") => {
            (format!("unknown key `{key}`"), near_or_known(key, known, "the keys here are"))
        }
        Some((value, known)) if said.starts_with("unknown variant") => {
            (format!("unknown value `{value}`"), near_or_known(value, known, "use one of"))
        }
        Some((key, _)) if said.starts_with("missing field") => {
            (format!("the key `{key}` is missing"), Some(format!("add `{key} = ...` here")))
        }
        _ => {
            let plain = ["u32", "u64", "usize", "i64"].iter().fold(said.to_owned(), |text, kind| {
                text.replace(&format!("expected {kind}"), "expected a whole number, 0 or more")
            });
            (plain.replace('\n', ", "), None)
        }
    };
    let mut problem = Problem::new(file, text, message);
    problem.span = error.span().map(place::span);
    problem.help = help;
    problem
}

fn near_or_known(word: &str, known: &[&str], list: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((_, name)) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() => None,
        None => Some(format!("{list} {}", known.join(", "))),
    }
}

/// Reads what serde alone cannot check, and notes what is wrong.
pub(super) struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    pub(super) root: &'a Path,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn report(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let mut problem = Problem::new(self.name, self.text, message);
        problem.span = place::find(self.text, path);
        problem.help = Some(help.into());
        self.problems.push(problem);
    }

    /// The same, at the key.
    pub(super) fn report_key(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let mut problem = Problem::new(self.name, self.text, message);
        problem.span = place::find_key(self.text, path);
        problem.help = Some(help.into());
        self.problems.push(problem);
    }

    fn server(&mut self, spec: Option<&ServerSpec>) -> ServerSettings {
        let Some(spec) = spec else { return ServerSettings::default() };
        let file = |file: &Option<PathBuf>| file.as_ref().map(|file| self.root.join(file));
        let (credentials, certificate, key) = (file(&spec.credentials), file(&spec.certificate), file(&spec.key));
        if certificate.is_some() != key.is_some() {
            let (there, missing) = if key.is_none() { ("Certificate", "Key") } else { ("Key", "Certificate") };
            let help = format!("add `{missing} = \"...pem\"`, or take out `{there}`: TLS needs both");
            self.report_key(&format!("server.{there}"), format!("`{there}` has no `{missing}` beside it"), help);
        }
        ServerSettings {
            credentials,
            certificate: certificate.zip(key),
            quotas_of_aws: spec.whose_quotas == Some(WhoseQuotas::Aws),
            quotas: spec.quotas.clone(),
        }
    }

    fn identity(&mut self, file: &File, default: &Identity) -> Identity {
        let region = file.region.as_ref().unwrap_or(&default.region);
        let account = file.account.as_ref().unwrap_or(&default.account);
        if region.is_empty() || !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            self.report("region", "this is not the name of a region", "write it as AWS does: \"us-east-1\"");
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            self.report("account", "an account has twelve digits", "write it as a text: \"000000000000\"");
        }
        Identity::new(region, account)
    }

    fn function(&mut self, name: &str, function: &Function) -> Option<FunctionSpec> {
        let code = self.code(name, function)?;
        let mut spec = FunctionSpec::new(name, code);
        if let Some(seconds) = function.timeout {
            if !(1..=900).contains(&seconds) {
                let place = format!("functions.{name}.Timeout");
                self.report(&place, format!("{seconds} is out of range"), "use 1 to 900 seconds, as AWS does");
            }
            spec.timeout_ms = seconds.saturating_mul(1000);
        }
        spec.memory_mb = function.memory_size.unwrap_or(spec.memory_mb);
        spec.concurrency = function.concurrency.unwrap_or(spec.concurrency);
        if let Some(file) = &function.environment_file {
            spec.environment = self.environment_file(name, &self.root.join(file));
        }
        spec.environment.extend(function.environment.clone());
        spec.inherit_environment = function.inherit_environment.unwrap_or(spec.inherit_environment);
        if let Code::Python { file, .. } = &spec.code {
            spec.virtual_env = virtual_env(self.root, file);
        }
        Some(spec)
    }

    fn environment_file(&mut self, name: &str, file: &Path) -> BTreeMap<String, String> {
        let place = format!("functions.{name}.EnvironmentFile");
        let help = "each line is NAME=value; paths are relative to the project file";
        environment_file::read(file).unwrap_or_else(|problem| {
            self.report(&place, format!("{}{problem}", shown(file)), help);
            BTreeMap::new()
        })
    }

    fn code(&mut self, name: &str, function: &Function) -> Option<Code> {
        let place = format!("functions.{name}");
        let given = [
            ("File", function.file.is_some()),
            ("Command", function.command.is_some()),
            ("Url", function.url.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter_map(|(key, is_given)| is_given.then_some(key)).collect();
        let kind = match given[..] {
            [kind] => kind,
            [] => {
                let help = "add `File = \"functions/charge.py\"`, `Command = [\"./charge\"]` or `Url = \"http://...\"`";
                self.report(&place, format!("function `{name}` has no File, no Command and no Url"), help);
                return None;
            }
            [_, other, ..] => {
                let message = format!("a function has one of File, Command and Url, not {}", given.join(" and "));
                self.report(&format!("{place}.{other}"), message, "leave one out");
                return None;
            }
        };
        if kind != "File" {
            let extra = [("Runtime", function.runtime.is_some()), ("Handler", function.handler.is_some())];
            for (key, _) in extra.into_iter().filter(|(_, given)| *given) {
                let at = format!("{place}.{key}");
                self.report(&at, format!("a function with a {kind} has no {key}"), "leave it out");
            }
        }
        let file = match (&function.file, &function.command, &function.url) {
            (Some(file), ..) => self.root.join(file),
            (_, Some(words), _) => {
                return Some(Code::Command { words: words.clone(), folder: self.root.to_owned() });
            }
            (.., url) => return url.as_ref().map(|url| Code::Url { url: url.clone() }),
        };
        let Some(runtime) = function.runtime else {
            let help = "add `Runtime = \"python\"`, \"node\" or \"provided\"";
            self.report(&place, format!("function `{name}` has no Runtime"), help);
            return None;
        };
        Some(self.with_runtime(&place, runtime, file, function.handler.clone()))
    }

    fn with_runtime(&mut self, place: &str, runtime: Runtime, file: PathBuf, handler: Option<String>) -> Code {
        match runtime {
            Runtime::Python => Code::Python { file, handler: handler.unwrap_or_else(|| "lambda_handler".to_owned()) },
            Runtime::Node => Code::Node { file, handler: handler.unwrap_or_else(|| "handler".to_owned()) },
            Runtime::Provided => {
                if handler.is_some() {
                    let at = format!("{place}.Handler");
                    self.report(&at, "an executable has no Handler", "leave it out; the executable is the handler");
                }
                Code::Provided { executable: file }
            }
        }
    }

    fn bucket(&mut self, name: &str, bucket: &BucketSpec) -> Option<(String, PathBuf)> {
        let folder = self.root.join(&bucket.path);
        if !folder.is_dir() {
            let what = if folder.exists() { "is no folder" } else { "does not exist" };
            let message = format!("bucket `{name}`: {} {what}", shown(&folder));
            self.report(
                &format!("buckets.{name}.Path"),
                message,
                "make the folder; paths are relative to the project file",
            );
            return None;
        }
        Some((name.to_owned(), folder))
    }

    fn substitutions(&mut self, file: &File, project: &Project) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (key, value) in &file.substitutions {
            let text = match value {
                Substitution::Text(text) => Some(text.clone()),
                Substitution::Arn(name) => self.arn(key, name, file, project),
            };
            values.extend(text.map(|text| (key.clone(), text)));
        }
        values
    }

    fn arn(&mut self, key: &str, name: &str, file: &File, project: &Project) -> Option<String> {
        let identity = &project.identity;
        let name = project.physical(name);
        let mut arns = Vec::new();
        let mut add = |declared: bool, service: &str, resource: String| {
            arns.extend(declared.then(|| identity.arn(service, &resource)));
        };
        let (services, functions) = (&project.services, &project.functions);
        let is_function = file.functions.contains_key(name) || functions.iter().any(|spec| spec.name == name);
        add(is_function, "lambda", format!("function:{name}"));
        add(file.tables.contains_key(name) || services.tables.contains_key(name), "dynamodb", format!("table/{name}"));
        add(file.topics.contains_key(name) || services.topics.contains_key(name), "sns", name.to_owned());
        add(file.queues.contains_key(name) || services.queues.contains_key(name), "sqs", name.to_owned());
        let is_activity = file.activities.contains_key(name) || services.activities.contains_key(name);
        add(is_activity, "states", format!("activity:{name}"));
        let place = format!("substitutions.{key}.Arn");
        match arns.len() {
            1 => {}
            0 => {
                let help = "name a function, table, topic, queue or activity of this file, or write the text itself";
                self.report(&place, format!("nothing named `{name}` is declared"), help);
            }
            _ => {
                let help = format!("write the one that is meant as a text: {}", arns.join(" or "));
                self.report(&place, format!("several things are named `{name}`"), help);
            }
        }
        arns.pop()
    }
}
