//! The probes without any sandbox: one that does not get through here proves nothing elsewhere.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::arena::Arena;
use super::probe::{Control, Effect, Probe, Verdict};
use crate::{Failure, git};

/// How long a script may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a probe without a sandbox; none when it is not tried.
pub(super) fn run(arena: &Arena, probe: &Probe) -> Result<Option<Verdict>, Failure> {
    if matches!(probe.control, Control::Withheld(_)) {
        return Ok(None);
    }
    let tree = arena.root().join("repository.worktrees").join(probe.id);
    let branch = format!("plain/{}", probe.id);
    git::git(&arena.copy.path, &["worktree", "add", "--quiet", "-b", &branch, &tree.to_string_lossy(), "main"])?;
    let before = arena.before(probe)?;
    let mut said = shell(arena, &tree, &arena.fill(probe, &probe.script())?, probe.id)?;
    if let Control::Careless(after) = probe.control {
        said.extend(shell(arena, &tree, &arena.fill(probe, after)?, "careless")?);
    }
    let through = arena.through(probe, &before, &said)?
        || match probe.effect {
            Effect::Floods => said.len() > 20 << 20,
            Effect::Repaints => said.contains(&0x1b),
            _ => false,
        };
    for line in arena.survivors(probe) {
        let pid = line.split(':').next().unwrap_or_default();
        Command::new("kill").args(["-9", pid]).status()?;
    }
    Ok(Some(Verdict::of(probe.effect, through, &String::from_utf8_lossy(&said), None)))
}

/// Whether the control did its part.
pub(super) fn met(probe: &Probe, verdict: Option<&Verdict>) -> bool {
    match probe.control {
        Control::Plain | Control::Careless(_) => verdict == Some(&Verdict::Reached),
        Control::IfAllowed | Control::Withheld(_) => !matches!(verdict, Some(Verdict::NotTried(_))),
    }
}

/// Runs a script in a tree as any program of the user could, and returns what it printed.
fn shell(arena: &Arena, tree: &Path, script: &str, name: &str) -> Result<Vec<u8>, Failure> {
    let log = arena.root().join(format!("{name}.log"));
    let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
    let file = arena.root().join(format!("{name}.sh"));
    std::fs::write(&file, script)?;
    let mut command = Command::new("sh");
    command.arg("-s").current_dir(tree).stdin(File::open(&file)?).stdout(out).stderr(err).process_group(0);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", arena.root().join("home"));
    command.env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "agent").env(format!("GIT_{role}_EMAIL"), "agent@hedgerow.invalid");
    }
    let mut child = command.stdin(Stdio::from(File::open(&file)?)).spawn()?;
    let until = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Err(format!("{name} did not end without a sandbox").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(std::fs::read(&log)?)
}
