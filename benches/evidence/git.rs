//! git's own binary, as the oracle. It is never run inside of a tree that an agent could write to.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// git for this repository, without anything of the machine's or the user's configuration.
pub(crate) fn command(repo: &Path) -> Command {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).arg("-C").arg(repo).stdin(Stdio::null());
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "evidence").env(format!("GIT_{role}_EMAIL"), "evidence@hedgerow.invalid");
    }
    git.arg("-c").arg("safe.directory=*");
    git
}

/// What git printed, without the final line break.
pub(crate) fn git(repo: &Path, args: &[&str]) -> Result<String, Failure> {
    bytes(repo, args).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

pub(crate) fn bytes(repo: &Path, args: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = command(repo).args(args).output().map_err(|e| format!("git: {e}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("git {} in {}: {}", args.join(" "), repo.display(), said.trim()).into())
}

pub(crate) fn lines(repo: &Path, args: &[&str]) -> Result<Vec<String>, Failure> {
    Ok(git(repo, args)?.lines().map(str::to_owned).collect())
}
