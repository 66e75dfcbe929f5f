//! The README and the docs keep their word.

#[path = "cli/common/mod.rs"]
mod common;

use common::Place;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README.md, CHANGELOG.md and every page of `docs/`, with where it is.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => pages.push(path),
                _ => {}
            }
        }
    }
    pages.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_command_of_the_readme_ends_as_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let place = Place::new();
    let mut commands = 0;
    for line in readme.lines() {
        let Some(command) = line.trim_start().strip_prefix("cargo run --release -- ") else { continue };
        let (command, comment) = command.split_once('#').unwrap_or((command, ""));
        let code = comment.split_once("exit code ").map_or(0, |(_, code)| code.trim().parse().unwrap());
        let args: Vec<&str> = command.split_whitespace().collect();
        eprintln!("asl {}", args.join(" "));
        place.asl(&args).ends(code);
        commands += 1;
    }
    assert!(commands >= 8, "the README shows its commands");
    assert!(place.path("definitions/.asl/asl.db").exists(), "the database is where the README says");
}

#[test]
fn links_lead_somewhere() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{} links to {link}, which is not there", page.display());
        }
    }
}
