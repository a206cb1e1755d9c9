//! Setting the stage, and clearing it.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{Result, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::{Stage, code, program};
use crate::escape::probe::{Effect, How, Manner, Probe};
use crate::escape::spawn;

/// Somebody who is on no machine.
const FOREIGNER: u32 = 12345;

impl Stage {
    pub(super) fn furnish(&mut self, probes: &[Probe]) -> Result<()> {
        let git = self.root.join("repository/.git");
        for dir in ["tree", "second", "readonly", "outside", "pins", "home"] {
            fs::create_dir(self.root.join(dir))?;
        }
        for dir in ["hooks", "info", "refs/heads", "objects/aa", "worktrees/task"] {
            fs::create_dir_all(git.join(dir))?;
        }
        for file in ["config", "HEAD", "refs/heads/main", "objects/aa/delete", "objects/aa/overwrite"] {
            fs::write(git.join(file), "before\n")?;
        }
        fs::write(git.join("credentials"), format!("https://{}@example.invalid\n", self.secret("token")))?;
        for file in ["commondir", "gitdir", "HEAD"] {
            fs::write(git.join("worktrees/task").join(file), "before\n")?;
        }
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        self.words.extend(self.listeners.words());
        self.words.insert("TREE", text(self.tree()));
        self.words.insert("READONLY", text(self.root.join("readonly")));
        self.words.insert("GIT", text(git));
        for probe in probes {
            self.give(probe)?;
        }
        Ok(())
    }

    /// What this probe wants, by the placeholders in its code.
    fn give(&mut self, probe: &Probe) -> Result<()> {
        let all = code(probe).concat();
        let wants = |word: &str| all.contains(&format!("<{word}>"));
        let (secret, out) = (self.secret(probe.id), self.out(probe.id));
        fs::create_dir(&out)?;
        fs::write(out.join("secret"), &secret)?;
        fs::write(out.join("file"), "before\n")?;
        fs::write(out.join(&secret), "")?;
        self.own_word(probe, "ID", probe.id);
        self.own_word(probe, "OUT", out.to_string_lossy());
        self.own_word(probe, "SECRET", out.join("secret").to_string_lossy());
        self.own_word(probe, "SIGN", self.sign(probe));
        let mark = format!("hedgerow-{}-{}", self.nonce, probe.id.replace('.', "-"));
        self.own_word(probe, "MARK", &mark);
        self.broom.push_str(&format!("unlink for map {{ \"$_/{mark}\" }} qw(/usr /etc / /opt /var/lib /run /root /dev /tmp /var/tmp /dev/shm /usr/local/bin);\n"));
        if wants("READONLY") {
            fs::write(self.root.join("readonly").join(probe.id), "before\n")?;
        }
        if matches!(probe.how, How::Alone(_, Manner::Swapped)) {
            fs::write(self.pin(probe.id), "pinned\n")?;
        }
        if wants("PIN") {
            let deep = self.tree().join(format!("deep-{}", probe.id));
            let mut under = self.tree().join(format!("pin-{}", probe.id));
            if wants("ANCESTOR") {
                under = deep.join("er/pin");
                fs::create_dir_all(deep.join("er"))?;
                self.own_word(probe, "ANCESTOR", deep.to_string_lossy());
            }
            fs::write(&under, "under\n")?;
            fs::write(self.pin(probe.id), "pinned\n")?;
            self.own_word(probe, "PIN", under.to_string_lossy());
        }
        for (word, directory) in [("TMPFILE", "/tmp"), ("SHMFILE", "/dev/shm")] {
            let path = Path::new(directory).join(&mark);
            if wants(word) && fs::write(&path, &secret).is_ok() {
                self.own_word(probe, word, path.to_string_lossy());
            }
        }
        if wants("PORT") {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            self.own_word(probe, "PORT", port.to_string());
            if probe.effect == Effect::Heard {
                self.listeners.knock(port);
            }
        }
        self.leak(probe, &wants, &out)?;
        self.hire(probe, &wants, &secret, &out);
        self.remember(probe, &wants, &secret, &mark);
        self.foreign(probe, &wants, &secret)
    }

    fn own_word(&mut self, probe: &Probe, word: &'static str, value: impl Into<String>) {
        self.own.insert((probe.id, word), value.into());
    }

    /// Descriptors that are open in every program that is started without care.
    fn leak(&mut self, probe: &Probe, wants: &dyn Fn(&str) -> bool, out: &Path) -> Result<()> {
        for (word, path, flags) in [
            ("READFD", out.join("secret"), OFlags::RDONLY),
            ("WRITEFD", out.join("file"), OFlags::WRONLY),
            ("DIRFD", out.to_owned(), OFlags::RDONLY | OFlags::DIRECTORY),
        ] {
            if wants(word) {
                let fd = rustix::fs::open(path, flags, Mode::empty())?;
                self.own_word(probe, word, fd.as_raw_fd().to_string());
                self.leaked.push(fd);
            }
        }
        Ok(())
    }

    /// A process of the host; without one, the placeholder stands for nothing.
    fn hire(&mut self, probe: &Probe, wants: &dyn Fn(&str) -> bool, secret: &str, out: &Path) {
        let sees_all = probe.id == "process.see";
        if !wants("PID") && !sees_all {
            return;
        }
        let Ok(child) = spawn::bystander(secret, out) else { return };
        self.own_word(probe, "PID", child.id().to_string());
        if let Some(start) = environment(child.id()) {
            self.own_word(probe, "ENVIRON", start);
        }
        self.bystanders.insert(probe.id, child);
    }

    /// What has no file: segments, queues and keys. One that cannot be made here is not found by the control either.
    fn remember(&mut self, probe: &Probe, wants: &dyn Fn(&str) -> bool, secret: &str, mark: &str) {
        let mut hasher = DefaultHasher::new();
        mark.hash(&mut hasher);
        let key = (hasher.finish() as u32 & 0x3fff_ffff) | 0x4000_0000;
        self.own_word(probe, "KEY", key.to_string());
        self.own_word(probe, "SHM", key.to_string());
        let code = match probe.id {
            "secret.shared-memory" => format!("my $id = shmget({key}, 64, 01600); shmwrite($id, '{secret}', 0, 64);"),
            "secret.message-queue" => {
                format!("my $id = msgget({key}, 01600); msgsnd($id, pack('l! a*', 1, '{secret}'), 0);")
            }
            "secret.posix-queue" => format!(
                "my $fd = syscall(<SYS_mq_open>, $name, 0102, 0600, 0); my $all = '{secret}'; syscall(<SYS_mq_timedsend>, $fd, $all, length $all, 1, 0);"
            ),
            "secret.user-key" | "secret.session-key" => {
                let ring = if probe.id == "secret.user-key" { -4 } else { -3 };
                format!(
                    "my $all = '{secret}'; my $key = syscall(<SYS_add_key>, $type, $name, $all, length $all, {ring}); syscall(<SYS_keyctl>, 5, $key, 0x3f3f3f3f);"
                )
            }
            _ => String::new(),
        };
        let names = format!("my ($type, $name) = (\"user\\0\", \"{mark}\\0\");");
        if !code.is_empty()
            && let Ok(code) = self.fill(probe, &format!("{names} {code}"))
        {
            // Where the host has no Perl there is no control either, and all is reported as not run.
            let _not_planted = spawn::script(&code);
        }
        if wants("KEY") || !code.is_empty() {
            let sweep = format!(
                "{{ my ($type, $name, $left) = (\"user\\0\", \"{mark}\\0\", \"{mark}-left\\0\"); my $id = shmget({key}, 0, 0); shmctl($id, 0, 0) if defined $id; \
                 $id = msgget({key}, 0); msgctl($id, 0, 0) if defined $id; $id = semget({key}, 0, 0); semctl($id, 0, 0, 0) if defined $id; syscall(<SYS_mq_unlink>, $name); \
                 for my $ring (-4, -3) {{ for my $key ($name, $left) {{ my $found = syscall(<SYS_keyctl>, 10, $ring, $type, $key, 0); syscall(<SYS_keyctl>, 9, $found, $ring) if $found != -1 }} }} }}\n"
            );
            self.broom.push_str(&self.fill(probe, &sweep).unwrap_or_default());
        }
    }

    /// Files of somebody else in the tree; only root can put them there.
    fn foreign(&mut self, probe: &Probe, wants: &dyn Fn(&str) -> bool, secret: &str) -> Result<()> {
        let tree = self.tree();
        if wants("FOREIGN") {
            let path = tree.join(format!("foreign-{}", probe.id));
            fs::write(&path, secret)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if chown(&path, Some(FOREIGNER), Some(FOREIGNER)).is_ok() {
                self.own_word(probe, "FOREIGN", path.to_string_lossy());
            }
        }
        if wants("SETUID") && cfg!(target_arch = "x86_64") {
            let name = format!("setuid-{}", probe.id);
            let path = tree.join(&name);
            fs::File::create(&path)?.write_all(&program::promoted())?;
            if chown(&path, Some(FOREIGNER), Some(FOREIGNER)).is_ok() {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o4755))?;
                self.own_word(probe, "SETUID", name);
            }
        }
        Ok(())
    }

    /// Takes away all that lies outside of the stage's directory, and the directory.
    pub(super) fn sweep(&mut self) {
        super::end(&self.any_sign());
        // What somebody else made cannot be removed by us; it is named after this stage.
        let _left = spawn::script(&self.broom);
        let _left = fs::remove_dir_all(&self.root);
    }
}

/// Where the environment of a process lies in its memory. A process that has only begun has none for a moment.
fn environment(pid: u32) -> Option<String> {
    for _ in 0..100 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The fiftieth field; the second one may contain blanks.
        let start = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(47));
        if let Some(start) = start.filter(|start| *start != "0") {
            return Some(start.to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
