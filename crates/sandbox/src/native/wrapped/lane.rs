//! A started sandbox in bubblewrap.

use std::ffi::{CString, OsStr};
use std::fs::OpenOptions;
use std::io::pipe;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::super::NativeOptions;
use super::super::blueprint::{Blueprint, c_string};
use super::super::found::Found;
use super::super::group::{Group, Purpose};
use super::super::layout::{self, User};
use super::super::limited::Limited;
use super::super::{keep, lane};
use super::keep::{Ends, WrappedKeeper};
use super::options::{Options, in_memory};
use super::status::Status;
use super::view::{Files, Rooms};
use super::{LANE, Memory, Users, view};
use crate::disk::Disk;
use crate::host::{DYING, Scratch, SecretFiles};
use crate::run::{Image, Keeper, Lane, REPORT, token};
use crate::{Access, Command, Error, Limits, Mount, Network, Result, Spec};

/// The supervisor, and both of bubblewrap's.
const OURS: u64 = 3;

#[derive(Debug)]
pub(in super::super) struct WrappedLane {
    options: NativeOptions,
    found: Found,
    mounts: Vec<Mount>,
    home: Option<PathBuf>,
    limits: Limits,
    network: Network,
    /// How long what was killed may take to be gone.
    dying: Duration,
}

impl WrappedLane {
    pub(in super::super) fn new(options: NativeOptions, found: Found, spec: Spec) -> Result<Self> {
        crate::check::mounts(&spec)?;
        crate::pinned::sources(LANE, &spec, layout::HOME.as_ref())?;
        let Spec { mounts, home, policy, .. } = spec;
        let lane = Self { options, found, mounts, home, limits: policy.limits, network: policy.network, dying: DYING };
        // A mount that cannot work is better refused now than at the first command.
        lane.plan(lane::user().0)?;
        Ok(lane)
    }

    /// The same with another time to die.
    #[cfg(test)]
    pub(super) fn dying(self, dying: Duration) -> Self {
        Self { dying, ..self }
    }

    /// One that only shows whether it works.
    pub(super) fn trial(options: NativeOptions, found: Found, limits: Limits) -> Self {
        Self { options, found, mounts: Vec::new(), home: None, limits, network: Network::None, dying: DYING }
    }

    fn plan(&self, user: User) -> Result<Blueprint> {
        layout::plan(&self.options, &self.mounts, self.home.as_deref(), &self.limits, &self.network, user)
    }

    /// Watches over what one command writes: to mounts and home, and to its own places where they have no size.
    fn disks(&self, rooms: &Path) -> std::io::Result<Vec<Disk>> {
        let mounts = self.mounts.iter().filter(|mount| mount.access == Access::ReadWrite).map(|mount| &mount.source);
        let written: Vec<PathBuf> = mounts.chain(&self.home).cloned().collect();
        let limit = self.limits.disk.filter(|_| !written.is_empty());
        let own = (self.found.wrapper_memory() == Memory::Unlimited).then_some((vec![rooms.into()], self.limits.tmp));
        let all = limit.map(|limit| (written, limit)).into_iter().chain(own);
        all.map(|(written, limit)| Disk::watch(&written, limit)).collect()
    }

    /// Everything that bubblewrap is told but the descriptors.
    fn words(&self, command: &Command, files: Files<'_>) -> Result<Options> {
        let mut words = Options::new();
        let namespaces: [&[u8]; 5] =
            [b"--unshare-pid", b"--unshare-ipc", b"--unshare-uts", b"--unshare-cgroup-try", b"--clearenv"];
        words.add(&namespaces);
        if self.found.mechanism_users() == Users::Own {
            words.add(&[b"--unshare-user"]);
        }
        if self.network != Network::Host {
            words.add(&[b"--unshare-net"]);
        }
        words.add(&[b"--die-with-parent", b"--new-session", b"--cap-drop", b"ALL", b"--hostname", b"sandbox"]);
        let mut blueprint = self.plan(lane::user().0)?;
        layout::secrets(&mut blueprint, command)?;
        view::add(&mut words, &blueprint, files)?;
        let told: Vec<_> = command.secrets.iter().filter_map(|s| s.told(layout::SECRETS.as_ref())).collect();
        let mut variables = vec![("HOME", layout::HOME.as_ref()), ("TMPDIR", "/tmp".as_ref())];
        variables.extend(told.iter().map(|(variable, path)| (*variable, path.as_os_str())));
        for variable in Image::new(command, &variables)?.variables() {
            let end = variable.iter().position(|byte| *byte == b'=').unwrap_or(variable.len());
            let (name, value) = variable.split_at(end);
            words.add(&[b"--setenv", name, value.get(1..).unwrap_or_default()]);
        }
        words.add(&[b"--chdir", command.workdir.as_os_str().as_bytes()]);
        Ok(words)
    }
}

impl Lane for WrappedLane {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn prepare(&self, command: &Command) -> Result<(Box<dyn Keeper>, Image)> {
        let failed = |action: &str, source| Error::Lane { action: action.into(), source };
        looked_up_from_the_root(command)?;
        let id = token().map_err(|e| failed("read random bytes", e.into()))?;
        let scratch = Scratch::make(&id)?;
        let secrets = SecretFiles::write(command, &id)?;
        let (made_up, rooms) = (scratch.home(), scratch.tmp());
        let files = Files {
            made_up: &made_up,
            secrets: secrets.directory(),
            rooms: match self.found.wrapper_memory() {
                Memory::Sized => Rooms::Memory,
                Memory::Unlimited => Rooms::Directory(&rooms),
            },
        };
        let mut words = self.words(command, files)?;
        let group = match self.found.bases.as_slice() {
            [] => None,
            bases => {
                let group = Group::make(bases, &id, &self.limits, OURS, Purpose::Limits);
                Some(group.map_err(|e| failed("make a control group", e.into()))?)
            }
        };
        let disks = self.disks(&rooms).map_err(|e| failed("watch what is written to the mounts", e.into()))?;
        let ends = descriptors(&mut words, group.as_ref().map_or(0, Group::count), &self.found.filters.bytes());
        let (options, ends) = ends.map_err(|e| failed("make descriptors for bubblewrap", e.into()))?;
        let token = format!("bwrap-{id}");
        let image = image(&self.found, &token, options, command)?;
        let own = self.found.mechanism_users() == Users::Own;
        let processes = self.limits.pids.filter(|_| own).map(|pids| u64::from(pids) + keep::OURS);
        let (handed, ends) = (ends.handed.len(), Mutex::new(ends));
        let (limited, dying) = (Limited::new(self.limits, group, disks), self.dying);
        Ok((Box::new(WrappedKeeper { scratch, secrets, token, limited, processes, ends, handed, dying }), image))
    }
}

/// The descriptors for bubblewrap, with the options that name all but one; and the number of that one.
fn descriptors(words: &mut Options, groups: usize, filter: &[u8]) -> std::io::Result<(i32, Ends)> {
    let first = REPORT + 1 + i32::try_from(groups).unwrap_or(i32::MAX);
    let (heard, word) = pipe()?;
    let (_closed, go) = pipe()?;
    let go = OwnedFd::from(go);
    // Open for both: it shall wait when nobody is left who could let it go on, and not take that for the sign.
    let gate = OpenOptions::new().read(true).write(true).open(own(&go))?;
    for (option, number) in [("--seccomp", first + 1), ("--json-status-fd", first + 2), ("--block-fd", first + 3)] {
        words.add(&[option.as_bytes(), number.to_string().as_bytes()]);
    }
    let handed = vec![words.file()?, in_memory(filter)?, word.into(), gate.into()];
    Ok((first, Ends { handed, word: Status::new(heard.into()), go, first: None }))
}

fn own(fd: &OwnedFd) -> PathBuf {
    Path::new("/proc/self/fd").join(std::os::fd::AsRawFd::as_raw_fd(fd).to_string())
}

/// bubblewrap with a name of its own, by which it is told from what it executes.
fn image(found: &Found, token: &str, options: i32, command: &Command) -> Result<Image> {
    let word = |word: &OsStr| c_string(Path::new(word));
    let mut argv: Vec<CString> =
        [token, "--args", &options.to_string(), "--"].map(OsStr::new).map(word).into_iter().collect::<Result<_>>()?;
    for part in std::iter::once(&command.program).chain(&command.args) {
        argv.push(word(part)?);
    }
    Ok(Image::wrapper(c_string(found.wrapper())?, argv))
}

/// Refuses a search path that leads to where the command happens to be: bubblewrap would follow it.
fn looked_up_from_the_root(command: &Command) -> Result<()> {
    let named = command.program.as_bytes().contains(&b'/');
    let path = command.env.get(OsStr::new("PATH")).filter(|_| !named);
    if path.is_some_and(|path| path.as_bytes().split(|byte| *byte == b':').any(|entry| !entry.starts_with(b"/"))) {
        let problem = "in bubblewrap, every entry must be absolute, or the program be given with its path".into();
        return Err(Error::InvalidSpec { what: "the variable \"PATH\"".into(), problem });
    }
    Ok(())
}
