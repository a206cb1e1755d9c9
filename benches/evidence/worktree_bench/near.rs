//! A commit near another one.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::{Failure, git};

/// How many files differ.
pub(crate) const FILES: usize = 100;

/// Makes a commit whose tree differs from that of `HEAD` in some files, spread over all of it, and names its id.
pub(crate) fn commit(repo: &Path) -> Result<String, Failure> {
    let place = tempfile::tempdir_in(repo.join(".git"))?;
    let index = place.path().join("index");
    let say = |args: &[&str], input: &[u8]| -> Result<String, Failure> {
        let mut command = git::command(repo);
        command.env("GIT_INDEX_FILE", &index).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().ok_or("git takes no input")?.write_all(input)?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("git {args:?} failed").into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    say(&["read-tree", "HEAD"], b"")?;
    let files: Vec<_> = git::lines(repo, &["ls-files", "--stage"])?;
    let plain: Vec<_> = files.iter().filter(|line| line.starts_with("100644") && !line.contains('"')).collect();
    let step = plain.len().div_ceil(FILES).max(1);
    let mut edits = String::new();
    for line in plain.into_iter().step_by(step) {
        let (head, path) = line.split_once('\t').ok_or("git lists no path")?;
        let old = head.split(' ').nth(1).ok_or("git lists no object")?;
        let mut content = git::bytes(repo, &["cat-file", "blob", old])?;
        content.extend_from_slice(b"near\n");
        let new = say(&["hash-object", "-w", "--stdin"], &content)?;
        edits.push_str(&format!("100644 {new}\t{path}\n"));
    }
    say(&["update-index", "--index-info"], edits.as_bytes())?;
    let tree = say(&["write-tree"], b"")?;
    say(
        &[
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@localhost",
            "commit-tree",
            &tree,
            "-p",
            "HEAD",
            "-m",
            "near",
        ],
        b"",
    )
}
