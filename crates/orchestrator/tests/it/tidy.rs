//! The rules of the workspace that a compiler does not check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn packages(metadata: &Value) -> &Vec<Value> {
    metadata["packages"].as_array().expect("packages")
}

pub(crate) fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a source directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The lines of a file that are code: no comments, no blank ones, nothing from the first test module on.
fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn the_three_crates_below_know_neither_each_other_nor_the_orchestrator() {
    let metadata = metadata();
    let arrows = |name: &str| -> BTreeSet<String> {
        let package = packages(&metadata).iter().find(|p| p["name"] == name).expect("a crate of the workspace");
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let names = dependencies.iter().filter_map(|d| d["name"].as_str());
        names.filter(|name| name.starts_with("hedgerow-")).map(str::to_owned).collect()
    };
    for below in ["hedgerow-worktree", "hedgerow-sandbox", "hedgerow-merge"] {
        assert_eq!(arrows(below), BTreeSet::new(), "{below}");
    }
    let all = ["hedgerow-merge", "hedgerow-sandbox", "hedgerow-worktree"].map(str::to_owned).into();
    assert_eq!(arrows("hedgerow-orchestrator"), all);
}

#[test]
fn files_stay_small_enough_to_read() {
    let mut lengths: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        for file in sources(&root().join("crates").join(krate).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            lengths.insert(file, code_lines(&text));
        }
    }
    for (file, lines) in &lengths {
        assert!(*lines <= 400, "{} has {lines} lines of code; split it", file.display());
    }
    let mut sorted: Vec<_> = lengths.values().copied().collect();
    sorted.sort_unstable();
    assert!(sorted[sorted.len() / 2] <= 100, "the median file has {} lines of code", sorted[sorted.len() / 2]);
}

/// The stated minimum is what the dependencies need, neither less nor more.
#[test]
fn the_rust_version_is_what_the_dependencies_need() {
    let metadata = metadata();
    let version = |package: &Value| {
        let text = package["rust_version"].as_str()?;
        let mut parts = text.split('.').map(|part| part.parse::<u32>().expect("a number"));
        Some((parts.next()?, parts.next().unwrap_or(0)))
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = packages(&metadata).iter().partition(|p| p["source"].is_null());
    let needed = theirs.iter().filter_map(|p| version(p)).max().expect("dependencies state versions");
    for package in ours {
        assert_eq!(version(package), Some(needed), "{}", package["name"]);
    }
}

#[test]
fn every_crate_has_a_front_page_and_a_changelog() {
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        let dir = root().join("crates").join(krate);
        let lib = std::fs::read_to_string(dir.join("src/lib.rs")).expect("a lib.rs");
        assert!(lib.starts_with("#![doc = include_str!(\"../README.md\")]"), "{krate}");
        assert!(std::fs::read_to_string(dir.join("README.md")).expect("a README").contains("```"), "{krate}");
        assert!(
            std::fs::read_to_string(dir.join("CHANGELOG.md")).expect("a changelog").contains("### Added"),
            "{krate}"
        );
    }
}

/// Each crate starts processes in the files that say so in the code map, and nowhere else.
#[test]
fn processes_are_started_where_the_code_map_says() {
    let homes = [
        "crates/sandbox/src/sys",
        "crates/sandbox/src/run",
        "crates/sandbox/src/host",
        "crates/sandbox/src/native",
        "crates/sandbox/src/escape/spawn.rs",
        "crates/merge/src/engine/git/run.rs",
        "crates/merge/src/land/git.rs",
        "crates/worktree/src/local/git.rs",
    ];
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        for file in sources(&root().join("crates").join(krate).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            // Tests beside the code and examples in comments may ask git.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines().map(str::trim);
            let text = code.filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n");
            let name = file.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            let starts = text.contains("process::Command") && !text.contains("crate::Command");
            // A module of tests that grew out of its file.
            let is_test = name.ends_with("_tests.rs");
            assert!(!starts || is_test || homes.iter().any(|home| name.starts_with(home)), "{name} starts processes");
        }
    }
}

/// All state belongs to values, and all that a library needs to know it is told.
#[test]
fn libraries_have_no_statics_and_read_no_environment() {
    let forbidden = ["static mut ", "thread_local!", "env::var", "env::vars", "env::temp_dir", "home_dir("];
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        for file in sources(&root().join("crates").join(krate).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
                let statics = ["static ", "pub static ", "pub(crate) static ", "pub(super) static "];
                let found = statics.iter().any(|s| line.starts_with(s)) || forbidden.iter().any(|f| line.contains(f));
                assert!(!found, "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn every_test_file_is_part_of_its_binary() {
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        let dir = root().join("crates").join(krate).join("tests/it");
        let main = std::fs::read_to_string(dir.join("main.rs")).expect("a main.rs");
        for entry in std::fs::read_dir(&dir).expect("a test directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            assert!(name == "main" || main.contains(&format!("mod {name};")), "{} is forgotten", path.display());
        }
    }
}
