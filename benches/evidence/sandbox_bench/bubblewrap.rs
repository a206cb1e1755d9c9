//! bubblewrap with the namespaces and the root of the native lane.

use std::path::Path;
use std::process::Command;

pub(super) use hedgerow_sandbox::shown::{ETC, HIDDEN, SYSTEM};

use crate::Failure;

/// The namespaces that the native lane makes.
const NAMESPACES: [&str; 6] =
    ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup"];

/// What it makes up.
const MADE_UP: [&str; 5] = ["passwd", "group", "hostname", "hosts", "resolv.conf"];

/// The same view as a native sandbox has, of a host that has this file for what is made up.
pub(super) fn same(file: &Path) -> Result<Vec<String>, Failure> {
    let mut args = base();
    let mut add = |words: &[&str]| args.extend(words.iter().map(|word| (*word).to_owned()));
    for path in SYSTEM.map(Path::new) {
        let text = path.to_str().ok_or("a system path is text")?;
        match (std::fs::read_link(path), path.is_dir()) {
            (Ok(target), _) => add(&["--symlink", &target.to_string_lossy(), text]),
            (Err(_), true) => add(&["--ro-bind", text, text]),
            (Err(_), false) => {}
        }
    }
    for name in ETC.map(|name| format!("/etc/{name}")).iter().filter(|name| Path::new(name).exists()) {
        add(&["--ro-bind", name, name]);
    }
    let file = file.to_str().ok_or("a temporary path is text")?;
    for name in MADE_UP {
        add(&["--ro-bind", file, &format!("/etc/{name}")]);
    }
    add(&["--dev", "/dev", "--proc", "/proc"]);
    for name in HIDDEN.map(|name| format!("/{name}")).iter().filter(|name| Path::new(name).exists()) {
        if Path::new(name).is_dir() { add(&["--tmpfs", name]) } else { add(&["--ro-bind", "/dev/null", name]) }
    }
    add(&["--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/dev/shm", "--tmpfs", "/home/agent"]);
    for directory in ["/run", "/var", "/root", "/mnt", "/srv"] {
        add(&["--dir", directory]);
    }
    add(&["--remount-ro", "/"]);
    Ok(args)
}

fn base() -> Vec<String> {
    let more = ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox", "--cap-drop", "ALL"];
    let user = ["--uid", "1000", "--gid", "1000", "--chdir", "/"];
    NAMESPACES.into_iter().chain(more).chain(user).map(str::to_owned).collect()
}

/// A command of bubblewrap's.
pub(super) fn command(args: &[String], program: &[&str]) -> Command {
    let mut command = Command::new("bwrap");
    command.args(args).arg("--").args(program);
    command
}
