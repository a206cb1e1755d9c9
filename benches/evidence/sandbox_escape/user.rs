//! The users that everything is tried as, each in a process of its own.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Found;
use crate::Failure;

/// Somebody who has nothing on this machine.
const ORDINARY: u32 = 5000;

/// Who tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Root.
    Root,
    /// An ordinary user: another one than root where root runs this, else whoever does.
    Ordinary,
}

impl User {
    /// Those that this process can be: it needs root to be both.
    pub(super) fn all() -> Vec<Self> {
        if am_root() { vec![Self::Root, Self::Ordinary] } else { vec![Self::Ordinary] }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "user",
        }
    }

    /// Tries everything as this user in a process of its own.
    pub(super) fn run(self, place: &Path) -> Result<Found, Failure> {
        let own = tempfile::Builder::new().prefix("hedgerow-evidence-").tempdir_in(place)?;
        let program = own.path().join("evidence");
        // Under a name that the other user can reach, too.
        std::fs::copy("/proc/self/exe", &program)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        let sentinels = own.path().join("place");
        std::fs::create_dir(&sentinels)?;
        std::fs::set_permissions(own.path(), std::fs::Permissions::from_mode(0o755))?;
        let mut become_nobody_else = String::new();
        if am_root() && self == Self::Ordinary {
            chown(&sentinels, Some(ORDINARY), Some(ORDINARY))?;
            // Who may use an engine is in the group of its socket.
            let engine = std::fs::metadata("/var/run/docker.sock").map_or(ORDINARY, |socket| socket.gid());
            become_nobody_else = format!("$) = '{ORDINARY} {engine}'; $( = {ORDINARY}; $< = $> = {ORDINARY};");
        }
        // With a session keyring of its own: without one, a probe that reads keys there proves nothing.
        let script =
            format!("syscall({}, 1, 0); {become_nobody_else} exec {{ $ARGV[0] }} @ARGV; die $!", libc::SYS_keyctl);
        let mut command = Command::new("perl");
        command.args(["-e", &script]).arg(&program);
        command.env("HOME", &sentinels).arg("sandbox-escape-child").arg("--place").arg(&sentinels);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("the process of {} ended with {}", self.name(), output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn am_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}
