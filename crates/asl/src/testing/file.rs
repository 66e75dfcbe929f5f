//! A test file: cases for one definition.

use super::expect::{self, Expect};
use super::mocks;
use super::reader::Reader;
use crate::Timestamp;
use crate::project::{Problem, ProjectError, shown};
use asl_syntax::{Format, Member, Node, Source, Span, parse};
use asl_task::mock::{MockErrorKind, Mocks};
use std::path::{Path, PathBuf};

/// How the name of a test file ends.
pub const ENDINGS: [&str; 3] = [".test.yaml", ".test.yml", ".test.json"];
/// How the name of a definition ends, for the one that has a test file's name.
const DEFINITIONS: [&str; 6] = [".asl.json", ".asl.yaml", ".asl.yml", ".json", ".yaml", ".yml"];

const SHARED: [&str; 9] =
    ["input", "inputFile", "now", "mocks", "mockFile", "mockCase", "mockOnly", "definition", "stateMachine"];
const CASE: [&str; 8] = ["input", "inputFile", "now", "mocks", "mockFile", "mockCase", "mockOnly", "expect"];

/// When executions start unless a case says otherwise.
pub const START: &str = "2030-01-01T00:00:00Z";

/// The cases for one definition.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text, for places.
    pub text: String,
    /// What it is called: `fare` for `fare.test.yaml`. The state machine has this name too.
    pub name: String,
    /// The definition that it tests.
    pub definition: PathBuf,
    /// Where that is a template with several: the state machine, its logical id or name.
    pub state_machine: Option<String>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One test case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Its line in the test file.
    pub line: usize,
    /// The input, JSON text.
    pub input: String,
    /// When the execution starts.
    pub now: Timestamp,
    /// What states answer without being run.
    pub mocks: Mocks,
    /// No function is run: one that is called and not mocked is a mistake.
    pub mock_only: bool,
    /// What has to come of it.
    pub expect: Expect,
}

impl TestFile {
    /// Reads a test file, and the files of inputs, outputs and mocks that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn load(path: &Path) -> Result<TestFile, ProjectError> {
        let name = shown(path);
        let text = std::fs::read_to_string(path).map_err(|problem| {
            let mut problem = Problem::new(&name, "", format!("the test file cannot be read: {problem}"));
            problem.help = Some("check the path; a test file is YAML or JSON in UTF-8".to_owned());
            problem
        })?;
        let json = path.extension().is_some_and(|extension| extension == "json");
        let mut loader = Loader { folder: path.parent().unwrap_or(Path::new("")).to_owned(), machine: stem(path) };
        let mut reader = Reader::new(&name, &text);
        let mut file = TestFile {
            path: path.to_owned(),
            text: text.clone(),
            name: loader.machine.clone(),
            definition: loader.definition(),
            state_machine: None,
            cases: Vec::new(),
        };
        match parse(&Source::new(&*name, &*text), if json { Format::Json } else { Format::Yaml }) {
            Ok(root) => loader.file(&mut reader, &root, &mut file),
            Err(diagnostic) => reader.unreadable(*diagnostic),
        }
        if reader.problems.is_empty() { Ok(file) } else { Err(ProjectError { problems: reader.problems }) }
    }
}

/// `fare` for `tests/fare.test.yaml`; the whole name where it ends otherwise.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = ENDINGS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let allowed = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    stem.chars().map(allowed).take(80).collect()
}

struct Loader {
    folder: PathBuf,
    machine: String,
}

impl Loader {
    /// The definition of the same name beside the test file; the first name it could have where there is none.
    fn definition(&self) -> PathBuf {
        let names = DEFINITIONS.iter().map(|end| self.folder.join(format!("{}{end}", self.machine)));
        names.clone().find(|path| path.is_file()).or_else(|| names.clone().next()).unwrap_or_default()
    }

    fn file(&mut self, reader: &mut Reader, root: &Node, file: &mut TestFile) {
        let keys: Vec<&str> = SHARED.iter().copied().chain(["cases"]).collect();
        let members = reader.known(root, "a test file", &keys);
        let named = members.iter().find(|member| &*member.key == "definition");
        if let Some(path) = named.and_then(|member| reader.text(member)) {
            file.definition = self.folder.join(path);
        }
        let machine = members.iter().find(|member| &*member.key == "stateMachine");
        file.state_machine = machine.and_then(|member| reader.text(member)).map(str::to_owned);
        if !file.definition.is_file() {
            let message = format!("the definition {} does not exist", shown(&file.definition));
            let help = "name it with `definition: PATH`; paths are relative to the test file";
            reader.report(named.map_or(Span::default(), |member| member.value.span), message, help);
        }
        let mut shared = Case {
            name: String::new(),
            line: 0,
            input: "{}".to_owned(),
            now: Timestamp::parse(START).unwrap_or_default(),
            mocks: Mocks::default(),
            mock_only: false,
            expect: Expect::default(),
        };
        self.case(reader, members, &mut shared);
        let Some(cases) = members.iter().find(|member| &*member.key == "cases") else {
            return reader.report(
                root.span,
                "there are no cases",
                "add `cases:` with `NAME: {input: ..., expect: ...}`",
            );
        };
        for member in reader.members(&cases.value, "`cases`") {
            let mut case = shared.clone();
            case.name = member.key.to_string();
            case.line = reader.line(member.key_span);
            let members = reader.known(&member.value, "a case", &CASE);
            self.case(reader, members, &mut case);
            file.cases.push(case);
        }
    }

    /// What both a file and a case can say.
    fn case(&mut self, reader: &mut Reader, members: &[Member], case: &mut Case) {
        let find = |key: &str| members.iter().find(|member| &*member.key == key);
        if let Some(input) = find("input") {
            case.input = input.value.to_value().to_string();
        }
        if let Some(member) = find("inputFile") {
            case.input = self.json(reader, member).unwrap_or_default();
        }
        if let Some(member) = find("now") {
            match member.value.as_str().and_then(|text| Timestamp::parse(text).ok()) {
                Some(now) => case.now = now,
                None => reader.report(member.value.span, "`now` is a timestamp", format!("write it like {START}")),
            }
        }
        if let Some(only) = find("mockOnly").and_then(|member| reader.flag(member)) {
            case.mock_only = only;
        }
        if let Some(member) = find("mockFile") {
            self.configuration(reader, member, find("mockCase"), case);
        } else if let Some(member) = find("mockCase") {
            reader.report(member.key_span, "`mockCase` without `mockFile`", "name the file too");
        }
        if let Some(member) = find("mocks") {
            mocks::read(reader, &member.value, &mut case.mocks);
        }
        if let Some(member) = find("expect") {
            case.expect = expect::read(reader, &member.value, &mut |reader, member| self.json(reader, member));
        }
    }

    /// A mock configuration of Step Functions Local.
    fn configuration(&self, reader: &mut Reader, file: &Member, case: Option<&Member>, into: &mut Case) {
        let Some(path) = reader.text(file).map(|path| self.folder.join(path)) else { return };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) => {
                let message = format!("{} cannot be read: {problem}", shown(&path));
                return reader.report(file.value.span, message, "paths are relative to the test file");
            }
        };
        let named = case.and_then(|member| reader.text(member));
        let cases = Mocks::test_cases(&text, &self.machine).unwrap_or_default();
        let name = match (named, cases.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only,
            (None, []) => "",
            (None, several) => {
                let message = format!("{} has several test cases: {}", shown(&path), several.join(", "));
                return reader.report(file.value.span, message, "choose one with `mockCase`");
            }
        };
        let loaded = Mocks::load(&text, &self.machine, name);
        match loaded {
            Ok(mocks) => mocks.states().for_each(|(state, mocked)| {
                // Its places are in another file.
                into.mocks.set(state, asl_task::mock::MockedState { span: Some(file.value.span), ..mocked.clone() });
            }),
            Err(error) if error.kind == MockErrorKind::TestCase => {
                let span = case.map_or(file.value.span, |case| case.value.span);
                reader.report(span, error.message, error.help.unwrap_or("choose one with `mockCase`".to_owned()));
            }
            Err(error) => {
                let mut problem = Problem::new(&shown(&path), &text, error.message);
                (problem.span, problem.help) = (error.span, error.help);
                reader.problems.push(problem);
            }
        }
    }

    /// A file of JSON that is named in the test file.
    fn json(&self, reader: &mut Reader, member: &Member) -> Option<String> {
        let path = self.folder.join(reader.text(member)?);
        let help = "paths are relative to the test file";
        match std::fs::read_to_string(&path) {
            Ok(text) => match text.parse::<crate::Value>() {
                Ok(_) => return Some(text),
                Err(problem) => {
                    reader.report(member.value.span, format!("{} is not JSON: {problem}", shown(&path)), "");
                }
            },
            Err(problem) => {
                reader.report(member.value.span, format!("{} cannot be read: {problem}", shown(&path)), help);
            }
        }
        None
    }
}
