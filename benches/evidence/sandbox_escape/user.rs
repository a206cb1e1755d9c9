//! The users that everything is tried as, each in a process of its own.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::Found;
use crate::Failure;

/// Somebody who has nothing on this machine.
const ORDINARY: u32 = 5000;

/// Where systems keep bubblewrap, and the lane looks for it first.
const BUBBLEWRAP: &str = "/usr/bin/bwrap";

/// Runs the rest of its arguments as root of a user namespace that knows all users, in the directory that is the first one:
/// what such a root denies, it denies to that namespace alone, and not to the machine.
const AROUND: &str = r#"
cd "$1" && deny=$2 && shift 2 && mkfifo go || exit
unshare -U -m sh -c 'read -r _ < go && exec setpriv --reuid 0 --regid 0 --clear-groups sh -c "$0" sh "$@"' "$deny" "$@" &
inner=$!
until readlink /proc/$inner/ns/user | grep -qv "$(readlink /proc/self/ns/user)"; do
    kill -0 $inner || exit
    sleep 0.01
done
echo 0 0 65536 > /proc/$inner/uid_map && echo 0 0 65536 > /proc/$inner/gid_map && echo > go && wait $inner
"#;

/// Makes user namespaces impossible there, and shows a setuid program of root's as the system's bubblewrap.
const DENY: &str = r#"echo 0 > /proc/sys/user/max_user_namespaces && mount --bind bwrap /usr/bin/bwrap && exec "$@""#;

/// Who tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum User {
    /// Root.
    Root,
    /// An ordinary user: another one than root where root runs this, else whoever does.
    Ordinary,
    /// An ordinary user where nobody may make a user namespace, and the system's bubblewrap is setuid.
    Denied,
}

impl User {
    pub(super) const EACH: [Self; 3] = [Self::Root, Self::Ordinary, Self::Denied];

    /// Those that this process can be: it needs root to be each.
    pub(super) fn all() -> Vec<Self> {
        if am_root() { Self::EACH.into() } else { vec![Self::Ordinary] }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "user",
            Self::Denied => "user without namespaces",
        }
    }

    /// What it is called on the command line.
    pub(super) fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
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
        if am_root() && self != Self::Root {
            chown(&sentinels, Some(ORDINARY), Some(ORDINARY))?;
            // Who may use an engine is in the group of its socket.
            let engine = std::fs::metadata("/var/run/docker.sock").map_or(ORDINARY, |socket| socket.gid());
            become_nobody_else = format!("$) = '{ORDINARY} {engine}'; $( = {ORDINARY}; $< = $> = {ORDINARY};");
        }
        let mut command = Command::new("perl");
        if self == Self::Denied {
            let copy = own.path().join("bwrap");
            std::fs::copy(BUBBLEWRAP, &copy).map_err(|e| format!("{BUBBLEWRAP}: {e}"))?;
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o4755))?;
            command = Command::new("sh");
            command.args(["-c", AROUND, "sh"]).arg(own.path()).args([DENY, "perl"]);
        }
        // With a session keyring of its own: without one, a probe that reads keys there proves nothing.
        let script =
            format!("syscall({}, 1, 0); {become_nobody_else} exec {{ $ARGV[0] }} @ARGV; die $!", libc::SYS_keyctl);
        command.args(["-e", &script]).arg(&program);
        command.env("HOME", &sentinels).args(["sandbox-escape-child", "--as", &self.word(), "--place"]).arg(&sentinels);
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
