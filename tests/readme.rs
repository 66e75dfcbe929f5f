//! The README and the docs keep their word.

#[path = "cli/common/mod.rs"]
mod common;

use common::Place;
use std::path::{Path, PathBuf};
use std::process::Command;

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
fn cargo_run_means_the_asl_command() {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let default = metadata["workspace_default_members"].as_array().unwrap();
    assert_eq!(default.len(), 1, "{default:?}");
    let package = metadata["packages"].as_array().unwrap().iter().find(|p| p["id"] == default[0]).unwrap();
    let bins = package["targets"].as_array().unwrap().iter().filter(|t| t["kind"][0] == "bin");
    assert_eq!(bins.map(|t| t["name"].as_str().unwrap()).collect::<Vec<_>>(), ["asl"]);
}

/// The guides that say that a test runs them.
const FOLLOWED: [&str; 5] = ["your-own-project", "survive-a-crash", "test-a-workflow", "replay", "sam-template"];

#[test]
fn the_guides_can_be_followed_to_the_letter() {
    let binaries = Path::new(env!("CARGO_BIN_EXE_asl")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    for guide in FOLLOWED {
        let page = std::fs::read_to_string(root().join(format!("docs/guide/{guide}.md"))).unwrap();
        let place = Place::empty();
        place.write("script", &script(&page));
        let ran = Command::new("sh").arg("script").current_dir(place.path("")).env("PATH", &path).output().unwrap();
        let ran = common::Ran::from(ran);
        ran.ends(0);
        match guide {
            "your-own-project" => {
                assert!(ran.stdout.contains(r#"{"item":"lamp","total":45}"#), "{}", ran.stdout);
                assert!(ran.stderr.contains("caught    UnknownItem by rule 1, on to Refused"), "{}", ran.stderr);
                assert_eq!(ran.stdout.matches(r#"{\"item\":\"lamp\",\"price\":40}"#).count(), 1, "{}", ran.stdout);
            }
            "sam-template" => {
                let table = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
                assert!(ran.stdout.contains(table), "{table} is in\n{}", ran.stdout);
                assert_eq!(ran.stdout.matches(r#"{"id":"order-1","price":40}"#).count(), 3, "{}", ran.stdout);
                for said in ["priced in dev", "1 case of 1 file: 1 passed", "priced in local"] {
                    assert!(ran.stderr.contains(said), "{said} is in\n{}", ran.stderr);
                }
            }
            "test-a-workflow" => {
                let said =
                    ["order a lamp\n", "3 cases of 1 file: 3 passed", "-   \"price\": 200\n      +   \"price\": 220\n"];
                for part in said.iter().chain(&["      + SecondThoughts\n"]) {
                    assert!(ran.stderr.contains(part), "{part} is in\n{}", ran.stderr);
                }
                assert!(
                    page.contains(ran.stdout.rsplit_once("DEFINITION").map_or("", |(_, table)| table)),
                    "{}",
                    ran.stdout
                );
            }
            "replay" => {
                for said in [
                    "small      another path          was Done, now Discount\n",
                    "3 executions: 2 same way, 1 another path\n",
                    "2 executions replayed\n",
                    "ExecutionRedriven",
                    "large.jsonl  SUCCEEDED",
                ] {
                    assert!(ran.stdout.contains(said), "{said}:\n{}", ran.stdout);
                }
                let told = page.split("```text\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
                assert!(ran.stderr.contains(told), "{told}\n{}", ran.stderr);
            }
            _ => {
                let (before, after) = ran.stdout.split_once("slow  SUCCEEDED").expect("it goes on");
                assert!(before.contains("RUNNING") && before.contains("reserved"), "{before}");
                assert!(after.contains("order-1") && after.contains("no difference"), "{after}");
                let calls = std::fs::read_to_string(place.path("calls.log")).unwrap();
                let mut ids: Vec<&str> = calls.lines().collect();
                ids.dedup();
                assert_eq!(ids.len(), 2, "for each execution the same request id each time: {calls}");
                assert_eq!(calls.lines().count(), 4, "once for each kill, and once more: {calls}");
            }
        }
    }
}

/// A page as a shell script: a code block after a line that names a file in backticks is that file; in the others of `sh`,
/// each line must end with 0, or as its comment says.
fn script(page: &str) -> String {
    let mut script = String::new();
    let mut last = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            last = if line.is_empty() { last } else { line };
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if language == "sh" {
            for command in block {
                let code = command.split_once("# exit code ").map_or("0", |(_, code)| code);
                script += &format!(
                    "{command}\nif [ $? -ne {code} ]; then cat >&2 <<'END OF LINE'\nnot so: {command}\nEND OF LINE\nexit 99\nfi\n"
                );
            }
        } else if let Some(file) = last.rsplit('`').nth(1) {
            script += &format!("cat >'{file}' <<'END OF FILE'\n{}\nEND OF FILE\n", block.join("\n"));
        }
    }
    script
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
