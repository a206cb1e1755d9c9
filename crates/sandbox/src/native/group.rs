//! Control groups: limits that the kernel keeps for all processes of a command together. Used where the embedding
//! program may make them, which root mostly may and an ordinary user in a delegated subtree may.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::group_base::{Base, Controller, Version};
use crate::Limits;
use crate::run::group;

/// The groups of one command; one of them on version 2, up to three on version 1.
#[derive(Debug)]
pub(super) struct Group {
    members: Vec<Member>,
}

/// What groups are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To keep limits; something else sees to the end of everything.
    Limits,
    /// Also to kill what is in them, which those of version 2 can, with limits or without.
    End,
}

#[derive(Debug)]
struct Member {
    directory: PathBuf,
    version: Version,
    controllers: Vec<Controller>,
    entrance: OwnedFd,
    /// What ends everything in it; on version 2, from Linux 5.14 on.
    end: Option<Arc<group::Group>>,
}

impl Group {
    /// Makes the groups that keep these limits, in all of `bases` that are of use for this purpose, for the command with this token.
    pub(super) fn make(bases: &[Base], token: &str, limits: &Limits, ours: u64, purpose: Purpose) -> io::Result<Self> {
        let mut group = Self { members: Vec::new() };
        for base in bases {
            let wanted: Vec<_> = base.controllers.iter().copied().filter(|c| c.wanted(limits)).collect();
            let kills = purpose == Purpose::End && base.version == Version::Two;
            if wanted.is_empty() && !kills {
                continue;
            }
            let directory = base.directory.join(group::name(token));
            fs::create_dir(&directory)?;
            let member = Member::set_up(directory.clone(), base.version, wanted, limits, ours);
            // A group without its limits is worse than none.
            let member = member.inspect_err(|_| drop(fs::remove_dir(&directory)));
            group.members.push(member.inspect_err(|_| group.remove())?);
            if kills && group.ending().is_none() {
                group.remove();
                return Err(io::Error::new(io::ErrorKind::Unsupported, "a control group cannot be killed as a whole"));
            }
        }
        Ok(group)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// Where a process writes `0` to join.
    pub(super) fn entrances(&self) -> Vec<RawFd> {
        self.members.iter().map(|member| member.entrance.as_raw_fd()).collect()
    }

    /// Whether the kernel keeps the limit of memory.
    pub(super) fn limits_memory(&self) -> bool {
        self.memory().is_some()
    }

    /// Whether the kernel killed a process because all together used too much.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let Some(member) = self.memory() else { return false };
        let file = match member.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(member.directory.join(file)).unwrap_or_default();
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok());
        kills.is_some_and(|kills| kills > 0)
    }

    /// The most memory that all together used, in bytes.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let member = self.memory()?;
        let file = match member.version {
            Version::One => "memory.max_usage_in_bytes",
            Version::Two => "memory.peak",
        };
        fs::read_to_string(member.directory.join(file)).ok()?.trim().parse().ok()
    }

    /// The one that ends everything, where there is one: not even who forks all the time gets away.
    pub(super) fn ending(&self) -> Option<&Arc<group::Group>> {
        self.members.iter().find_map(|member| member.end.as_ref())
    }

    /// Removes the groups, which must be empty. The kernel takes a moment to see that they are.
    pub(super) fn remove(&self) {
        for member in &self.members {
            for _ in 0..100 {
                match fs::remove_dir(&member.directory) {
                    Err(e) if e.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(Duration::from_millis(5)),
                    // What stays is found and removed by the next probe.
                    _ => break,
                }
            }
        }
    }

    fn memory(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.controllers.contains(&Controller::Memory))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Member {
    fn set_up(
        directory: PathBuf,
        version: Version,
        controllers: Vec<Controller>,
        limits: &Limits,
        ours: u64,
    ) -> io::Result<Self> {
        for controller in &controllers {
            for (file, value) in controller.settings(version, limits, ours) {
                set(&directory.join(file), &value)?;
            }
            for (file, value) in controller.wishes(version, limits) {
                match set(&directory.join(file), &value) {
                    // Kernels without swap accounting have no such file; the probe has seen that, too.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    done => done?,
                }
            }
        }
        let entrance = match version {
            // For a thread that moves itself, the kernel need not hold up every fork of the machine, which takes it some
            // milliseconds. What joins has one thread.
            Version::One => "tasks",
            Version::Two => "cgroup.procs",
        };
        let entrance = OpenOptions::new().write(true).open(directory.join(entrance))?.into();
        let end = (version == Version::Two).then(|| group::Group::open(directory.clone()).ok()).flatten().map(Arc::new);
        Ok(Self { directory, version, controllers, entrance, end })
    }
}

/// Writes a limit. The group is new, so the file is the kernel's.
fn set(file: &Path, value: &str) -> io::Result<()> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", file.display()));
    let mut open = OpenOptions::new().write(true).open(file).map_err(named)?;
    io::Write::write_all(&mut open, value.as_bytes()).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::super::group_base::Swap;
    use super::*;

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that proved nothing must not look like one that did")]
    fn a_command_without_limits_is_killed_by_its_group_where_nothing_else_ends_everything() {
        use std::os::unix::process::ExitStatusExt;

        let directory = match group::find() {
            Ok(directory) => directory,
            Err(why) => return eprintln!("SKIPPED: {why}"),
        };
        let base = Base { directory, version: Version::Two, controllers: Vec::new(), swap: Swap::Free };
        let made = |purpose| {
            Group::make(std::slice::from_ref(&base), &crate::run::token().unwrap(), &Limits::default(), 0, purpose)
                .unwrap()
        };
        assert_eq!(made(Purpose::Limits).count(), 0);
        let group = made(Purpose::End);
        assert_eq!(group.count(), 1);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(group.members[0].directory.join("cgroup.procs"), child.id().to_string()).unwrap();
        assert_eq!(group.ending().unwrap().end(Duration::from_secs(60)), group::Emptied::Yes(1));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let directory = group.members[0].directory.clone();
        drop(group);
        assert!(!directory.exists());
    }

    #[test]
    fn a_limit_of_swap_that_is_there_and_cannot_be_set_is_no_group() {
        let group = tempfile::tempdir().unwrap();
        let file = |name| group.path().join(name);
        for name in ["memory.limit_in_bytes", "tasks"] {
            fs::write(file(name), "").unwrap();
        }
        let limits = Limits { memory: Some(7), ..Limits::default() };
        let memory = || vec![Controller::Memory];
        let made = || Member::set_up(group.path().to_owned(), Version::One, memory(), &limits, 0).map(drop);
        made().unwrap();
        // Opening it to write is refused.
        fs::create_dir(file("memory.memsw.limit_in_bytes")).unwrap();
        assert_eq!(made().unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
