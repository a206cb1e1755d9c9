//! A command of which something would not die.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::host::lane::HostLane;
use crate::run::{Image, Lane, Session};
use crate::{Limits, Policy, Running, SandboxId, Spec};

/// Where processes can be frozen so that not even SIGKILL ends them.
const FREEZER: &str = "/sys/fs/cgroup/freezer";

/// The host lane, less patient.
#[derive(Debug)]
struct Hasty(HostLane);

impl Lane for Hasty {
    fn limits(&self) -> &Limits {
        self.0.limits()
    }

    fn prepare(&self, command: &Command) -> crate::Result<(Box<dyn Keeper>, Image)> {
        let (keeper, image) = self.0.ready(command)?;
        Ok((Box::new(keeper.dying(Duration::from_millis(100))), image))
    }
}

fn session(groups: Option<PathBuf>) -> Session {
    let id = SandboxId::new("frozen").unwrap();
    let spec = Spec { id, labels: [].into(), policy: Policy::open(), mounts: Vec::new(), home: None };
    Session::new(Arc::new(Hasty(HostLane::new(spec, groups).unwrap())))
}

fn sh(script: impl AsRef<str>) -> Command {
    Command::new("/bin/sh", "/").args(["-c", script.as_ref()])
}

/// A group in the freezer of version 1; none where there is no such thing.
#[expect(clippy::print_stderr, reason = "a test that proved nothing must not look like one that did")]
fn freezer() -> Option<PathBuf> {
    let group = Path::new(FREEZER).join(format!("hedgerow-test-{}", crate::run::token().unwrap()));
    let made = fs::create_dir(&group).and_then(|()| fs::read(group.join("freezer.state")));
    match made {
        Ok(_) => Some(group),
        Err(e) => {
            eprintln!("SKIPPED: no process can be frozen below {FREEZER}: {e}");
            None
        }
    }
}

/// A process of a command is frozen, and then this ends the command: the end is an error that names the process, the next command
/// is refused, and starts when the process is thawed.
async fn survivor(groups: Option<PathBuf>, end: &str) {
    let Some(ice) = freezer() else { return };
    let mut session = session(groups);
    let script = format!(
        "sleep 61 & until grep -q sleep /proc/$!/comm; do sleep 0.01; done; echo $! > {0}/cgroup.procs; echo FROZEN > {0}/freezer.state; \
         until grep -q FROZEN {0}/freezer.state; do sleep 0.01; done; {end}",
        ice.display()
    );
    let process = session.exec(sh(script)).await.unwrap();
    let error = process.wait().await.unwrap_err().to_string();
    let held = |error: &str| error.contains("end a command");
    assert!(held(&error), "{error}");
    let error = session.exec(sh("true")).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("still holds 1 of its processes") && text.contains("\\\"sleep\\\""), "{text}");
    fs::write(ice.join("freezer.state"), "THAWED").unwrap();
    let gone = || fs::read_to_string(ice.join("cgroup.procs")).unwrap().is_empty();
    while !gone() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let next = session.exec(sh("true")).await.unwrap().wait().await.unwrap();
    assert!(next.success(), "{next:?}");
    drop(session);
    fs::remove_dir(&ice).unwrap();
}

#[tokio::test]
async fn what_cannot_be_killed_in_a_group_is_named_and_its_command_is_not_called_over() {
    let Ok(place) = crate::run::group::find() else { return };
    survivor(Some(place), "exit 0").await;
}

#[tokio::test]
async fn what_cannot_be_killed_and_is_known_by_its_variable_is_named_and_its_command_is_not_called_over() {
    survivor(None, "kill -9 $PPID; sleep 61").await;
}
