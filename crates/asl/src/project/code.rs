//! The code of a template's functions: where it is, what it needs on its path, what has to be installed.

use super::error::Problem;
use super::stack::Stack;
use super::template::{Absent, CodeModel, FunctionModel};
use super::{read, shown};
use asl_function::{Code, FunctionSpec, Functions, Identity, SpecError};
use asl_value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the text of functions that stand in the template is written to, from the project's folder.
const INLINE: &str = ".asl/code";
/// Where packages of functions may be installed to, from the project's folder.
const PACKAGES: &str = ".asl/packages";

/// Code that stands in a template: the file that it becomes, and its text.
pub(super) type Inline = (PathBuf, String);

/// What runs a function, by its runtime's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    Node,
    Provided,
}

/// The folders that a function's paths are relative to.
#[derive(Clone, Copy)]
pub(super) struct Folders<'a> {
    /// The template's: code and layers.
    pub(super) root: &'a Path,
    /// The project's: what is kept under `.asl`.
    pub(super) home: &'a Path,
}

/// The function of a model; what is wrong with it becomes something absent, told where a state needs it.
pub(super) fn function(
    stack: &mut Stack,
    folders: Folders<'_>,
    model: &FunctionModel,
) -> Option<(FunctionSpec, Option<Inline>)> {
    match found(stack, folders, model) {
        Ok(read) => Some(read),
        Err(problem) => {
            stack.absent.push(Absent { name: model.name.clone(), problem, broken: true });
            None
        }
    }
}

fn found(
    stack: &mut Stack,
    folders: Folders<'_>,
    model: &FunctionModel,
) -> Result<(FunctionSpec, Option<Inline>), Box<Problem>> {
    let language = match model.runtime.as_str() {
        name if name.starts_with("python") => Language::Python,
        name if name.starts_with("nodejs") => Language::Node,
        name if name.starts_with("provided") || name.starts_with("go") => Language::Provided,
        name => {
            let message = format!("function `{}`: the runtime {name} has no backend here", model.id);
            let help = "python, nodejs and provided run here; or let it run behind a URL: `[functions.NAME] Url = ...`";
            return Err(at(stack, model, "Runtime", message, help));
        }
    };
    let (code, inline) = code(stack, folders, model, language)?;
    let mut spec = FunctionSpec::new(&model.name, code);
    spec.timeout_ms = model.timeout_s.map_or(spec.timeout_ms, |seconds| seconds.saturating_mul(1000));
    spec.memory_mb = model.memory_mb.unwrap_or(spec.memory_mb);
    spec.environment.clone_from(&model.environment);
    search_path(folders, model, language, &mut spec);
    if let Code::Python { file, .. } = &spec.code {
        spec.virtual_env = read::virtual_env(folders.home, file).or_else(|| read::virtual_env(folders.root, file));
    }
    if inline.is_none() {
        checked(stack, model, &spec)?;
        if spec.virtual_env.is_none() {
            needs_installing(stack, folders, model, language);
        }
    }
    Ok((spec, inline))
}

fn at(stack: &Stack, model: &FunctionModel, property: &str, message: String, help: &str) -> Box<Problem> {
    let span = model.places.get(property).copied().unwrap_or(model.span);
    stack.problem(span, message, help)
}

fn code(
    stack: &Stack,
    folders: Folders<'_>,
    model: &FunctionModel,
    language: Language,
) -> Result<(Code, Option<Inline>), Box<Problem>> {
    let handler = model.handler.clone();
    if let CodeModel::Inline(text) = &model.code {
        let extension = match language {
            Language::Python => "py",
            Language::Node => "js",
            Language::Provided => {
                let message = format!("function `{}`: only Python and Node stand in a template", model.id);
                return Err(at(stack, model, "Runtime", message, "put the code into a folder"));
            }
        };
        let folder = folders.home.join(INLINE).join(&model.name);
        let file = folder.join(format!("index.{extension}"));
        return Ok((interpreted(language, folder, handler), Some((file, text.clone()))));
    }
    let path = located(folders.root, &model.code);
    let property = if model.places.contains_key("CodeUri") { "CodeUri" } else { "Code" };
    if path.extension().is_some_and(|end| end == "zip" || end == "jar") {
        let message = format!("function `{}`: {} is an archive", model.id, shown(&path));
        return Err(at(stack, model, property, message, "name the folder that it is made of"));
    }
    if language == Language::Provided {
        let named = if model.runtime.starts_with("go") { handler.as_str() } else { "bootstrap" };
        let executable = if path.is_dir() { path.join(named) } else { path };
        return Ok((Code::Provided { executable }, None));
    }
    // A single file is the whole code: its handler is the function in it.
    let handler = match path.is_file() {
        true => handler.rsplit('.').next().unwrap_or(&handler).to_owned(),
        false => handler,
    };
    Ok((interpreted(language, path, handler), None))
}

fn interpreted(language: Language, file: PathBuf, handler: String) -> Code {
    match language {
        Language::Node => Code::Node { file, handler },
        _ => Code::Python { file, handler },
    }
}

/// Where code or a definition is: a path of the template, or what the tools that package templates leave beside it.
pub(super) fn located(root: &Path, code: &CodeModel) -> PathBuf {
    let key = match code {
        CodeModel::Path(path) => return root.join(path),
        CodeModel::Inline(_) => return root.to_owned(),
        CodeModel::Key(key) => key,
    };
    let name = key.rsplit('/').next().unwrap_or(key);
    let stem = name.split('.').next().unwrap_or(name);
    let candidates = [key.clone(), name.to_owned(), format!("asset.{name}"), format!("asset.{stem}")];
    let mut found = candidates.iter().map(|candidate| root.join(candidate)).filter(|path| path.exists());
    found.next().unwrap_or_else(|| root.join(key))
}

/// Layers, and packages that were installed for the function, on the path of its runtime.
fn search_path(folders: Folders<'_>, model: &FunctionModel, language: Language, spec: &mut FunctionSpec) {
    let layers = model.layers.iter().map(|layer| located(folders.root, &CodeModel::Key(layer.clone())));
    let packages = folders.home.join(PACKAGES).join(&model.id);
    let added = layers.chain(packages.is_dir().then_some(packages));
    let (variable, below): (_, &[&str]) = match language {
        Language::Python => ("PYTHONPATH", &["python", ""]),
        Language::Node => ("NODE_PATH", &["nodejs/node_modules", "nodejs", "node_modules", ""]),
        Language::Provided => return,
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in added {
        paths.extend(below.iter().map(|part| folder.join(part)).filter(|path| path.is_dir()));
    }
    if paths.is_empty() {
        return;
    }
    let own = spec.environment.get(variable).map(Into::into).or_else(|| std::env::var_os(variable));
    let own = own.iter().flat_map(std::env::split_paths);
    if let Ok(joined) = std::env::join_paths(own.chain(paths)) {
        spec.environment.insert(variable.to_owned(), joined.to_string_lossy().into_owned());
    }
}

/// Whether the function can be started, told at its place in the template.
fn checked(stack: &Stack, model: &FunctionModel, spec: &FunctionSpec) -> Result<(), Box<Problem>> {
    let Err(error) = Functions::new(vec![spec.clone()], Arc::new(|_| {}), Identity::default()) else { return Ok(()) };
    let property = match &error {
        SpecError::Name { .. } => "FunctionName",
        SpecError::Range { .. } => "Timeout",
        SpecError::Handler { .. } => "Handler",
        SpecError::Interpreter { .. } => "Runtime",
        _ if model.places.contains_key("CodeUri") => "CodeUri",
        _ => "Code",
    };
    let (message, help) = match &error {
        SpecError::File { path, problem, .. } => {
            (format!("function `{}`: {} {problem}", model.id, shown(path)), "paths are relative to the template")
        }
        other => (other.to_string(), ""),
    };
    Err(at(stack, model, property, message, help))
}

/// A note for what a `requirements.txt` or `package.json` beside the handler asks for and is not installed.
fn needs_installing(stack: &mut Stack, folders: Folders<'_>, model: &FunctionModel, language: Language) {
    let code = located(folders.root, &model.code);
    let module = model.handler.rsplit_once(['/', '.']).map_or("", |(module, _)| module);
    let mut beside = vec![code.clone()];
    beside.extend(Path::new(&module.replace('.', "/")).parent().map(|parent| code.join(parent)));
    let packages = folders.home.join(PACKAGES).join(&model.id);
    for folder in beside {
        let note = match language {
            Language::Python if !packages.is_dir() => asks(&folder.join("requirements.txt"), requires).map(|file| {
                let (file, to) = (shown(&file), shown(&packages));
                (file.clone(), format!("python3 -m pip install -r {file} -t {to}"))
            }),
            Language::Node if !folder.join("node_modules").is_dir() => asks(&folder.join("package.json"), depends)
                .map(|file| (shown(&file), format!("npm install --prefix {}", shown(&folder)))),
            _ => None,
        };
        if let Some((file, command)) = note {
            let span = model.places.get("CodeUri").or_else(|| model.places.get("Code")).copied();
            let message = format!("function `{}` has packages in {file} that are not installed", model.id);
            let help = format!("install them with `{command}`");
            let note = stack.problem(span.unwrap_or_default(), message, &help);
            return stack.notes.push(*note);
        }
    }
}

fn asks(file: &Path, asks: fn(&str) -> bool) -> Option<PathBuf> {
    std::fs::read_to_string(file).is_ok_and(|text| asks(&text)).then(|| file.to_owned())
}

fn requires(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}

fn depends(text: &str) -> bool {
    let parsed: Option<Value> = text.parse().ok();
    let dependencies = parsed.as_ref().and_then(|package| package.get("dependencies")?.as_object());
    dependencies.is_some_and(|dependencies| !dependencies.is_empty())
}

/// Writes the code that stands in a template to its file, where it is not there already.
pub(super) fn write(inline: &Inline) -> std::io::Result<()> {
    let (file, text) = inline;
    if std::fs::read_to_string(file).is_ok_and(|there| there == *text) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = file.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, text)?;
    std::fs::rename(&part, file)
}
