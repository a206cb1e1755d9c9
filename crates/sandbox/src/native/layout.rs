//! The root directory that every native sandbox has, before the caller's mounts.

use std::fs;
use std::path::Path;

use super::NativeOptions;
use super::blueprint::{Blueprint, Step, Use, inside};
pub(super) use super::shown::{DEVICES, ETC, HIDDEN, SYSTEM};
use crate::{Access, Command, Limits, Mount, Network, Result};

/// `HOME` inside.
pub(super) const HOME: &str = "/home/agent";

/// Who the program is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Where the files of secrets are.
pub(super) const SECRETS: &str = "/run/secrets";

/// Adds the secrets of one command.
pub(super) fn secrets(plan: &mut Blueprint, command: &Command) -> Result<()> {
    let mut files = command.secrets.iter().filter_map(|secret| Some((secret.name(), secret.as_file()?)));
    files.try_for_each(|(name, content)| plan.secret(&Path::new(SECRETS).join(name), content))
}

/// What one sandbox shows.
pub(super) fn plan(
    options: &NativeOptions,
    mounts: &[Mount],
    home: Option<&Path>,
    limits: &Limits,
    network: &Network,
    user: User,
) -> Result<Blueprint> {
    let mut plan = Blueprint::default();
    system(&mut plan)?;
    etc(&mut plan, network, user)?;
    devices(&mut plan)?;
    memory(&mut plan, limits.tmp, home.is_none())?;
    for directory in ["/run", "/var", "/root", "/mnt", "/srv"] {
        plan.directory(Path::new(directory), 0o755)?;
    }
    for path in &options.system {
        // What it points to is shown under the name that was asked for.
        let source = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        plan.show(&source, path, Use::Read)?;
    }
    if let Some(home) = home {
        plan.show(home, Path::new(HOME), Use::Write)?;
    }
    for mount in mounts {
        let usage = match mount.access {
            Access::ReadOnly => Use::Read,
            Access::ReadWrite => Use::Write,
        };
        plan.show_pinned(&mount.source, &mount.target, usage)?;
    }
    Ok(plan)
}

fn system(plan: &mut Blueprint) -> Result<()> {
    for path in SYSTEM.map(Path::new) {
        match (fs::read_link(path), path.is_dir()) {
            (Ok(target), _) => plan.link(path, &target)?,
            (Err(_), true) => plan.show(path, path, Use::Read)?,
            (Err(_), false) => {}
        }
    }
    Ok(())
}

fn etc(plan: &mut Blueprint, network: &Network, user: User) -> Result<()> {
    let User { uid, gid } = user;
    let own =
        |plan: &mut Blueprint, name: &str, content: &str| plan.file(&Path::new("/etc").join(name), content.as_bytes());
    let people = format!("root:x:0:0:root:/root:/sbin/nologin\nagent:x:{uid}:{gid}:agent:{HOME}:/bin/sh\n");
    own(plan, "passwd", &(people + "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"))?;
    own(plan, "group", &format!("root:x:0:\nagent:x:{gid}:\nnogroup:x:65534:\n"))?;
    own(plan, "hostname", "sandbox\n")?;
    let network_files: &[&str] = match network {
        Network::Host => &["hosts", "resolv.conf", "services", "protocols"],
        Network::None | Network::Only(_) => {
            own(plan, "hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n")?;
            &["services", "protocols"]
        }
    };
    for name in ETC.iter().chain(network_files) {
        let path = Path::new("/etc").join(name);
        if let Ok(source) = fs::canonicalize(&path) {
            plan.show(&source, &path, Use::Read)?;
        }
    }
    Ok(())
}

fn devices(plan: &mut Blueprint) -> Result<()> {
    let dev = Path::new("/dev");
    for name in DEVICES {
        plan.show(&dev.join(name), &dev.join(name), Use::Device)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        plan.link(&dev.join(name), Path::new(target))?;
    }
    plan.on_directory("/dev/pts", |at| Step::Terminals { at })?;
    plan.on_directory("/proc", |at| Step::Processes { at })?;
    let null = plan.sources.iter().position(|s| s.path.as_c_str() == c"/dev/null");
    for path in HIDDEN {
        if let Some(source) = null {
            plan.steps.push(Step::Hide { source, at: inside(Path::new(path))? });
        }
    }
    Ok(())
}

/// Everything that can be written and is of no host directory shares one file system, so that one limit holds for it.
fn memory(plan: &mut Blueprint, size: u64, with_home: bool) -> Result<()> {
    let size = size.max(1 << 20);
    plan.scratch = inside(Path::new(&size.to_string()))?;
    // A name costs the kernel about a kilobyte that no watcher counts.
    plan.scratch_files = inside(Path::new(&(size / 1024).to_string()))?;
    let mut places = vec![(c"tmp", "/tmp", 0o1777), (c"tmp", "/var/tmp", 0o1777), (c"shm", "/dev/shm", 0o1777)];
    if with_home {
        places.push((c"home", HOME, 0o700));
    }
    for (directory, at, mode) in places {
        plan.on_directory(at, |at| Step::Scratch { directory: directory.into(), mode, at })?;
        plan.writable(Path::new(at));
    }
    Ok(())
}
