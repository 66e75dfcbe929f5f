//! What a function is, and the checks that are made before anything runs.

use std::{
    collections::{BTreeMap, HashSet},
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::error::SpecError;

/// One function: a name, its code, and the settings of AWS Lambda that have a meaning here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// The function's name: 1 to 64 letters, digits, `-` or `_`.
    pub name: String,
    /// What runs.
    pub code: Code,
    /// How long one invocation may take, in milliseconds: 1 to 900,000, by default 3,000 (both as
    /// on AWS). Waiting for a free worker and starting one do not count.
    pub timeout_ms: u64,
    /// How long a new worker may take to load its code and ask for work, in milliseconds: by
    /// default 10,000, AWS's limit for the init phase. The invocation that it was started for then
    /// fails with `Sandbox.Timedout`. Not used by [`Code::Url`].
    pub init_timeout_ms: u64,
    /// The memory size the function is told (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`), in MB, by default
    /// 128. It is not enforced.
    pub memory_mb: u32,
    /// How many workers, and so invocations at the same time, at most: 1 to 1,000, by default 4.
    /// They are started when needed and stay. For [`Code::Url`], the invocations at the same time.
    pub concurrency: usize,
    /// Environment variables, over those of this process. Lambda's own names win over both.
    pub environment: BTreeMap<String, String>,
    /// `LAMBDA_TASK_ROOT`, the working folder and the root of imports: by default the code's own
    /// folder. The code must lie in it.
    pub task_root: Option<PathBuf>,
    /// Whether the function sees the variables of this process, by default true: among them the AWS credentials of the shell
    /// that it was started from. If false it gets `PATH`, `LANG`, `LC_ALL`, `LC_CTYPE`, `TMPDIR` and `TZ` of them.
    pub inherit_environment: bool,
    /// A Python virtual environment whose interpreter runs [`Code::Python`], instead of the `python3` on `PATH`.
    pub virtual_env: Option<PathBuf>,
}

/// The code of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A Python handler, run by the `python3` on `PATH`.
    Python {
        /// A `.py` file; or a folder, and then `handler` says which module.
        file: PathBuf,
        /// The function in that file (`lambda_handler`), or, with a folder, AWS's whole handler
        /// string `module.function` (`payment_charge.lambda_handler`, `fares/charge.handler`).
        handler: String,
    },
    /// A Node.js handler, run by the `node` on `PATH`.
    Node {
        /// A `.js`, `.mjs` or `.cjs` file; or a folder, and then `handler` says which module.
        file: PathBuf,
        /// The export of that file (`handler`, `api.handler`), or, with a folder, AWS's whole
        /// handler string (`index.handler`).
        handler: String,
    },
    /// An executable that is built on a Lambda runtime (Rust, Go, C++, or any program that speaks
    /// the Runtime API), as the `bootstrap` of AWS's `provided` runtimes.
    Provided {
        /// The executable.
        executable: PathBuf,
    },
    /// A program that is started for each invocation: the event on its standard input, its result on its standard output.
    /// An exit code other than 0 is an error; the last line on its standard error is its name, or `Name: message`.
    Command {
        /// The program and its arguments. A program with a slash is looked for from `folder`, another on `PATH`.
        words: Vec<String>,
        /// Its working folder.
        folder: PathBuf,
    },
    /// A function elsewhere, invoked by `POST` of the payload. The path of the Lambda runtime
    /// interface emulator, `http://HOST:PORT/2015-03-31/functions/function/invocations`, works.
    Url {
        /// An `http` or `https` URL.
        url: String,
    },
}

impl FunctionSpec {
    /// A function with the default settings.
    pub fn new(name: impl Into<String>, code: Code) -> Self {
        Self {
            name: name.into(),
            code,
            timeout_ms: 3_000,
            init_timeout_ms: 10_000,
            memory_mb: 128,
            concurrency: 4,
            environment: BTreeMap::new(),
            task_root: None,
            inherit_environment: true,
            virtual_env: None,
        }
    }
}

/// How to start the workers of a function: a spec that was found good.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) task_root: PathBuf,
    pub(crate) handler: String,
    /// One of our own bootstraps runs in it.
    pub(crate) has_bootstrap: bool,
    pub(crate) virtual_env: Option<PathBuf>,
}

/// Checks everything that all kinds of code share.
pub(crate) fn check(specs: &[FunctionSpec]) -> Result<(), SpecError> {
    let mut names = HashSet::new();
    for spec in specs {
        let function = spec.name.clone();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=64).contains(&function.len()) || !function.chars().all(legal) {
            return Err(SpecError::Name { function });
        }
        if !names.insert(&spec.name) {
            return Err(SpecError::Duplicate { function });
        }
        let range = |field, value, range| SpecError::Range { function: function.clone(), field, value, range };
        if !(1..=900_000).contains(&spec.timeout_ms) {
            return Err(range("timeout_ms", spec.timeout_ms, "1 to 900000 (15 minutes)"));
        }
        if !(1..=900_000).contains(&spec.init_timeout_ms) {
            return Err(range("init_timeout_ms", spec.init_timeout_ms, "1 to 900000 (15 minutes)"));
        }
        if !(1..=1_000).contains(&spec.concurrency) {
            return Err(range("concurrency", spec.concurrency as u64, "1 to 1000"));
        }
    }
    Ok(())
}

/// Checks the code of a function that runs here, and says how to start it.
pub(crate) fn launch(spec: &FunctionSpec) -> Result<Option<Launch>, SpecError> {
    match &spec.code {
        Code::Python { file, handler } => interpreted(spec, &PYTHON, file, handler).map(Some),
        Code::Node { file, handler } => interpreted(spec, &NODE, file, handler).map(Some),
        Code::Provided { executable } => provided(spec, executable).map(Some),
        Code::Command { words, folder } => command(spec, words, folder).map(Some),
        Code::Url { .. } => Ok(None),
    }
}

fn command(spec: &FunctionSpec, words: &[String], folder: &Path) -> Result<Launch, SpecError> {
    let folder = found(spec, folder)?;
    let (name, args) = words.split_first().map_or(("", &[][..]), |(name, args)| (name, args));
    let path = match name.contains('/') {
        true => found(spec, &folder.join(name))?,
        false => on_path(name)
            .filter(|_| !name.is_empty())
            .ok_or_else(|| SpecError::Program { function: spec.name.clone(), program: name.to_owned() })?,
    };
    if !is_executable(&path) {
        return Err(bad_file(spec, &path, "is not an executable file; `chmod +x` it"));
    }
    let handler = name.to_owned();
    Ok(Launch {
        program: path,
        args: args.to_vec(),
        task_root: folder,
        handler,
        has_bootstrap: false,
        virtual_env: None,
    })
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// What differs between the two runtimes that we carry a bootstrap for.
struct Interpreter {
    program: &'static str,
    run_text: &'static str,
    bootstrap: &'static str,
    extensions: &'static [&'static str],
    /// Python takes the last dot of a handler as the end of the module's name, Node the first.
    last_dot: bool,
}

const PYTHON: Interpreter = Interpreter {
    program: "python3",
    run_text: "-c",
    bootstrap: include_str!("../bootstrap/bootstrap.py"),
    extensions: &["py"],
    last_dot: true,
};

const NODE: Interpreter = Interpreter {
    program: "node",
    run_text: "-e",
    bootstrap: include_str!("../bootstrap/bootstrap.cjs"),
    extensions: &["js", "mjs", "cjs"],
    last_dot: false,
};

fn interpreted(
    spec: &FunctionSpec,
    interpreter: &Interpreter,
    file: &Path,
    handler: &str,
) -> Result<Launch, SpecError> {
    let path = found(spec, file)?;
    let (task_root, handler) = if path.is_dir() {
        let module = module_of(spec, interpreter, handler)?;
        let root = root(spec, &path, &path)?;
        module_exists(spec, interpreter, &path, &module)?;
        let prefix = path.strip_prefix(&root).unwrap_or(Path::new(""));
        (root, prefix.join(handler).to_string_lossy().into_owned())
    } else {
        let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
        let root = root(spec, &parent, &path)?;
        let module = module_path(spec, interpreter, &root, &path)?;
        let dotted = interpreter.last_dot && handler.contains('.');
        if handler.is_empty() || dotted || handler.contains('/') {
            let problem = "must be the name of a function in the file (or let `file` be a folder, \
                           and write AWS's `module.function`)";
            return Err(bad_handler(spec, handler, problem));
        }
        (root, format!("{module}.{handler}"))
    };
    let virtual_env = spec.virtual_env.clone().filter(|_| matches!(spec.code, Code::Python { .. }));
    let program = match &virtual_env {
        Some(folder) => in_virtual_env(spec, folder)?,
        None => on_path(interpreter.program)
            .ok_or_else(|| SpecError::Interpreter { function: spec.name.clone(), interpreter: interpreter.program })?,
    };
    let args = vec![interpreter.run_text.to_owned(), interpreter.bootstrap.to_owned()];
    Ok(Launch { program, args, task_root, handler, has_bootstrap: true, virtual_env })
}

/// The interpreter of a virtual environment. Its path must stay as it is: it leads the interpreter to its packages.
fn in_virtual_env(spec: &FunctionSpec, folder: &Path) -> Result<PathBuf, SpecError> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let candidates = ["bin/python3", "bin/python"].map(|name| folder.join(name));
    candidates.into_iter().find(|path| is_executable(path)).ok_or_else(|| {
        bad_file(
            spec,
            &folder,
            "is not a virtual environment: it has no bin/python3; make it again with `python3 -m venv`",
        )
    })
}

fn provided(spec: &FunctionSpec, executable: &Path) -> Result<Launch, SpecError> {
    let path = found(spec, executable)?;
    if !is_executable(&path) {
        return Err(bad_file(spec, &path, "is not an executable file; build it, or `chmod +x` it"));
    }
    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
    let task_root = root(spec, &parent, &path)?;
    let handler = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Launch { program: path, args: Vec::new(), task_root, handler, has_bootstrap: false, virtual_env: None })
}

fn found(spec: &FunctionSpec, path: &Path) -> Result<PathBuf, SpecError> {
    fs::canonicalize(path)
        .map_err(|problem| bad_file(spec, path, &format!("cannot be read ({problem}); check the path")))
}

fn root(spec: &FunctionSpec, default: &Path, code: &Path) -> Result<PathBuf, SpecError> {
    let Some(root) = &spec.task_root else { return Ok(default.to_owned()) };
    let root = found(spec, root)?;
    if root.is_dir() && code.starts_with(&root) {
        return Ok(root);
    }
    Err(bad_file(spec, &root, &format!("is the task root, but {} does not lie in it", code.display())))
}

/// `sub/module` for the file `ROOT/sub/module.py`: the module part of AWS's handler string.
fn module_path(spec: &FunctionSpec, interpreter: &Interpreter, root: &Path, file: &Path) -> Result<String, SpecError> {
    let extension = file.extension().and_then(|text| text.to_str()).unwrap_or_default();
    let module = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let dotted = module.to_string_lossy().contains('.');
    match module.to_str() {
        Some(module) if interpreter.extensions.contains(&extension) && !dotted => Ok(module.to_owned()),
        _ => {
            let ends = interpreter.extensions.join(", .");
            let problem = format!("must be a file ending in .{ends}, with no other dot in its name");
            Err(bad_file(spec, file, &problem))
        }
    }
}

/// The module part of AWS's handler string.
fn module_of(spec: &FunctionSpec, interpreter: &Interpreter, handler: &str) -> Result<String, SpecError> {
    let name_at = handler.rfind('/').map_or(0, |slash| slash + 1);
    let dot = match interpreter.last_dot {
        true => handler.rfind('.'),
        false => handler[name_at..].find('.').map(|dot| name_at + dot),
    };
    match dot {
        Some(dot) if dot > name_at && dot + 1 < handler.len() && !handler.contains("..") => {
            Ok(handler[..dot].to_owned())
        }
        _ => Err(bad_handler(spec, handler, "must be `module.function`, such as `index.handler`")),
    }
}

fn module_exists(spec: &FunctionSpec, interpreter: &Interpreter, folder: &Path, module: &str) -> Result<(), SpecError> {
    // In Python a dot is as good as a slash: `fares.charge` is `fares/charge.py`.
    let module = if interpreter.last_dot { module.replace('.', "/") } else { module.to_owned() };
    let base = folder.join(&module);
    let file = |extension: &&str| folder.join(format!("{module}.{extension}")).is_file();
    let package = base.join("__init__.py").is_file() || base.is_file() || base.join("index.js").is_file();
    if package || interpreter.extensions.iter().any(file) {
        return Ok(());
    }
    let missing = folder.join(format!("{module}.{}", interpreter.extensions[0]));
    Err(bad_file(spec, &missing, "does not exist, but the handler names it"))
}

fn bad_file(spec: &FunctionSpec, path: &Path, problem: &str) -> SpecError {
    SpecError::File { function: spec.name.clone(), path: path.to_owned(), problem: problem.to_owned() }
}

fn bad_handler(spec: &FunctionSpec, handler: &str, problem: &str) -> SpecError {
    let (handler, problem) = (handler.to_owned(), problem.to_owned());
    SpecError::Handler { function: spec.name.clone(), handler, problem }
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| is_executable(path))
}
