//! The only file of the suites that starts processes on the host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process of the host that may be killed: it holds this secret in its environment, its arguments, its directory and an open file.
pub(super) fn bystander(secret: &str, directory: &Path) -> Result<Child> {
    let mut command = Command::new("perl");
    command.args(["-e", "sleep 3000", secret]).env("SECRET", secret).current_dir(directory).process_group(0);
    command.stdin(File::open(directory.join("secret"))?).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Runs a script on the host and gives what it printed.
pub(super) fn script(text: &str) -> Result<String> {
    let output = Command::new("perl").args(["-e", text]).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Starts a program as anybody would who knows of no sandbox: with the whole environment and all descriptors.
pub(super) fn plain(
    program: &OsString,
    args: &[OsString],
    workdir: &Path,
    variables: &BTreeMap<OsString, OsString>,
) -> Result<tokio::process::Child> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).current_dir(workdir).envs(variables);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}
