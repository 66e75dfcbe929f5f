//! The architecture's invariants that a machine can check: which crate may lean on which, and what the pure ones must not know.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// From the top down: a crate may depend on those below it in this list, and on no other of ours.
const LAYERS: [&str; 17] = [
    "asl-cli",
    "asl-conformance",
    "asl-bench",
    "asl-server",
    // A tool for tests: it drives the machine over the journal's records, and nothing leans on it.
    "asl-sim",
    "asl",
    "asl-engine",
    "asl-task",
    "asl-function",
    "asl-aws",
    "asl-journal",
    "asl-store",
    "asl-render",
    "asl-core",
    "asl-syntax",
    "asl-expr",
    "asl-value",
];
/// These know no clock, no chance, no environment, no files and no network.
const PURE: [&str; 6] = ["asl-value", "asl-expr", "asl-syntax", "asl-core", "asl-render", "asl-store"];
/// What no pure crate may depend on.
const IMPURE: [&str; 9] = ["tokio", "sqlx", "reqwest", "hyper", "rand", "getrandom", "uuid", "chrono", "tracing"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The direct dependencies of each of our crates, without those for tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |v: &serde_json::Value| v.as_str().expect("a string").to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies").iter();
            let normal = all.filter(|d| d["kind"].is_null()).map(|d| text(&d["name"]));
            (text(&package["name"]), normal.collect())
        })
        .collect()
}

/// The protocol of an execution lies in a crate with a clock and tasks, and uses neither: the simulator drives it.
#[test]
fn the_protocol_of_an_execution_is_pure() {
    let folder = root().join("crates/asl-engine/src/execution/protocol");
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("its files").map(|file| file.expect("a file").path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("its text");
        for word in
            ["tokio::", "Instant", "SystemTime", "std::env", "std::fs", "std::thread", "async ", "uuid", "crate::"]
        {
            assert!(!text.contains(word), "{} says `{word}`", file.display());
        }
    }
}

/// Within the engine: a part, and the parts that lie above it. What a client does needs a store alone, so it knows nothing of what is in
/// memory, of a lease, or of functions.
#[test]
fn a_client_reaches_no_residency_and_no_lease() {
    let folder = root().join("crates/asl-engine/src/client");
    let mut files = 0;
    for file in std::fs::read_dir(&folder).expect("its files") {
        let file = file.expect("a file").path();
        let text = std::fs::read_to_string(&file).expect("its text");
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        files += 1;
        for word in
            ["engine::", "residency", "crate::worker", "Lease", "activity", "memory", "machines", "Backends", "Driver"]
        {
            assert!(!code.contains(word), "{} says `{word}`", file.display());
        }
    }
    assert!(files >= 6, "the files of the client were read");
}

#[test]
fn arrows_point_down() {
    let level = |name: &str| LAYERS.iter().position(|l| *l == name);
    for (name, dependencies) in dependencies() {
        let at = level(&name).unwrap_or_else(|| panic!("{name} has no place in the architecture: give it one here"));
        for dependency in dependencies.iter().filter(|d| level(d).is_some()) {
            assert!(level(dependency) > Some(at), "{name} -> {dependency} points up");
        }
    }
}

/// A store is linked by every process that reads a history: it brings no HTTP client or server of its own.
#[test]
fn a_store_links_no_http() {
    let all = dependencies();
    let mut left = vec!["asl-journal", "asl-store"];
    let mut seen = BTreeSet::new();
    while let Some(name) = left.pop() {
        let Some((name, dependencies)) = all.get_key_value(name) else { continue };
        let http = dependencies.iter().find(|d| ["reqwest", "hyper", "hyper-util", "rustls"].contains(&d.as_str()));
        assert!(http.is_none(), "{name} links {http:?}");
        if seen.insert(name) {
            left.extend(dependencies.iter().map(String::as_str));
        }
    }
    assert!(seen.len() > 2, "the dependencies were followed: {seen:?}");
}

#[test]
fn pure_crates_are_pure() {
    let all = dependencies();
    for name in PURE {
        let dependencies = all.get(name).unwrap_or_else(|| panic!("{name} is not in the workspace"));
        let impure: Vec<_> = dependencies.iter().filter(|d| IMPURE.contains(&d.as_str())).collect();
        assert!(impure.is_empty(), "{name} depends on {impure:?}");
        let folder = root().join("crates").join(name);
        let lib = std::fs::read_to_string(folder.join("src/lib.rs")).expect("lib.rs");
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{name} must forbid unsafe code");
        assert!(
            folder.join("clippy.toml").exists(),
            "{name} needs the bans of crates/pure.clippy.toml as its clippy.toml"
        );
    }
}

/// What a first build compiles: the crates of the command, by name and version, on one platform so that all count the same.
#[test]
fn the_command_is_made_of_as_many_crates_as_the_documentation_says() {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--package", "asl-cli", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let tree = String::from_utf8(cargo.stdout).expect("UTF-8");
    // `name v1.2.3 (/path)`, `name v1.2.3 (*)`
    let crates: BTreeSet<String> = tree
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .filter(|c| !c.is_empty())
        .collect();
    let told = std::fs::read_to_string(root().join("docs/performance.md")).expect("performance.md");
    let line = told.lines().find(|line| line.contains(" crates make up `asl-cli`")).expect("the line about the crates");
    let count: usize = line.split(' ').find_map(|word| word.parse().ok()).expect("a number in that line");
    assert!(
        crates.len() <= count,
        "{} crates make up asl-cli, and docs/performance.md says {count}: leave one out, or say there what the new one costs:\n{}",
        crates.len(),
        crates.into_iter().collect::<Vec<_>>().join(", ")
    );
}
