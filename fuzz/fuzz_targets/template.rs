//! A SAM or CloudFormation template, and the definitions in it. It is read from a file, in memory where the system has such a place.
#![no_main]

use asl::project::{Project, ProjectError, Wanted};
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    folder.join(format!("asl-fuzz-{}.template", std::process::id()))
});

fn told(error: &ProjectError) {
    assert!(!error.problems.is_empty());
    for problem in &error.problems {
        assert!(!problem.message.is_empty());
        if let Some(span) = problem.span {
            assert!(problem.text.get(span.start..span.end).is_some(), "no place in the text: {problem:?}");
        }
    }
    let _ = error.to_string();
}

fuzz_target!(|text: &str| {
    std::fs::write(&*FILE, text).expect("the file can be written");
    let opened = Project::open_all(&FILE, None, &Wanted::default());
    let _ = std::fs::remove_file(&*FILE);
    for one in opened.map_err(|error| told(&error)).into_iter().flatten() {
        let Ok(opened) = one.map_err(|error| told(&error)) else { continue };
        let loaded = asl_syntax::load(&opened.source, &opened.options);
        for span in loaded.diagnostics.iter().filter_map(|diagnostic| diagnostic.span) {
            assert!(opened.source.original().get(span.start..span.end).is_some(), "no place in the template: {span:?}");
        }
    }
});
