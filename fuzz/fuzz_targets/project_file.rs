//! A project file, `asl.toml`. It is read from a file, so there is one, in memory where the system has such a place.
#![no_main]

use asl::project::Project;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    folder.join(format!("asl-fuzz-{}.toml", std::process::id()))
});

fuzz_target!(|text: &str| {
    std::fs::write(&*FILE, text).expect("the file can be written");
    let loaded = Project::load(&FILE);
    let _ = std::fs::remove_file(&*FILE);
    match loaded {
        Ok(project) => {
            project.services().expect("services were checked when it was loaded");
            let _ = project.source("definition", "{\"Resource\": \"${A}${B}\"}");
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            for problem in &error.problems {
                assert!(!problem.message.is_empty());
                if let Some(span) = problem.span {
                    assert!(problem.text.get(span.start..span.end).is_some(), "no place in the text: {problem:?}");
                }
            }
            let _ = error.to_string();
        }
    }
});
