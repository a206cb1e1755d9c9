//! The machine and the versions that a table was made with.

use std::path::Path;
use std::process::Command;

use crate::table::Table;

pub(crate) fn table() -> Table {
    let mut table = Table::new("Machine", ["what", "value"]);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    table.row(["hedgerow", &format!("{} ({build} build)", env!("CARGO_PKG_VERSION"))]);
    table.row(["rustc", env!("EVIDENCE_RUSTC")]);
    table.row(["git", &said("git", &["--version"])]);
    table.row(["docker engine", &said("docker", &["version", "--format", "{{.Server.Version}}"])]);
    table.row(["kernel", &read("/proc/sys/kernel/osrelease")]);
    table.row(["cores", &std::thread::available_parallelism().map_or(0, usize::from).to_string()]);
    table.row(["memory", &memory()]);
    table.row(["temporary files", &file_system(&std::env::temp_dir())]);
    table
}

fn said(program: &str, args: &[&str]) -> String {
    let said = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    let text = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "none".to_owned())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn memory() -> String {
    let info = read("/proc/meminfo");
    let kib =
        info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next()?.parse::<u64>().ok());
    kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024))
}

/// The type of the file system that holds a path, from the longest mount point above it.
fn file_system(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mounts = read("/proc/self/mounts");
    let entry = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        path.starts_with(&point).then_some((point.len(), kind))
    };
    mounts.lines().filter_map(entry).max().map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
}
