//! An engine of its own: own sockets, own directories, own containerd. The user's engine is asked for the image and no more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::Failure;
use crate::lane::IMAGE;

use super::door::Door;

/// How long an engine may take until it answers.
const PATIENCE: u32 = 600;
/// What the disk of the engine holds beside the image.
const ROOM: u64 = 600 << 20;

/// Whether containers live on without their engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restore {
    Off,
    On,
}

impl Restore {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

pub(crate) struct Engine {
    restore: Restore,
    dir: TempDir,
    pub(crate) door: Door,
    dockerd: Option<Child>,
    containerd: Option<Child>,
}

/// The image as a file, from the user's engine.
pub(crate) fn saved_image() -> Result<NamedTempFile, Failure> {
    let file = NamedTempFile::new()?;
    run(Command::new("docker").args(["save", "-o"]).arg(file.path()).arg(IMAGE))?;
    Ok(file)
}

pub(crate) fn run(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

impl Engine {
    pub(crate) fn start(restore: Restore, image: &Path) -> Result<Self, Failure> {
        let dir = TempDir::new()?;
        let disk = dir.path().join("disk");
        fs::create_dir(&disk)?;
        let size = fs::metadata(image)?.len() * 2 + ROOM;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "engine-faults"]).arg(&disk))?;
        let door = Door::open(dir.path().join("door"), &dir.path().join("docker"))?;
        let mut engine = Self { restore, dir, door, dockerd: None, containerd: None };
        engine.start_containerd()?;
        engine.start_dockerd()?;
        engine.docker(&["load", "-q", "-i", &image.display().to_string()])?;
        Ok(engine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn daemon(&self, program: &str) -> Result<Command, Failure> {
        let log = File::options().create(true).append(true).open(self.path(&format!("{program}.log")))?;
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    pub(crate) fn start_containerd(&mut self) -> Result<(), Failure> {
        let mut command = self.daemon("containerd")?;
        command.arg("--root").arg(self.path("disk/containerd")).arg("--state").arg(self.path("state"));
        command.arg("--address").arg(self.path("containerd"));
        self.containerd = Some(command.spawn()?);
        Ok(())
    }

    pub(crate) fn start_dockerd(&mut self) -> Result<(), Failure> {
        // What an engine that was killed leaves behind would keep the next one from starting.
        let _absent = fs::remove_file(self.path("pid"));
        let mut command = self.daemon("unshare")?;
        // In a network of its own: an engine without a bridge deletes `docker0`, which is the user's engine's.
        command.args(["--net", "dockerd"]);
        command.arg("--data-root").arg(self.path("disk/docker")).arg("--exec-root").arg(self.path("exec"));
        command.arg("--pidfile").arg(self.path("pid")).arg("--containerd").arg(self.path("containerd"));
        command.arg("-H").arg(format!("unix://{}", self.path("docker").display()));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=overlay2"]);
        if self.restore == Restore::On {
            command.arg("--live-restore");
        }
        self.dockerd = Some(command.spawn()?);
        for _ in 0..PATIENCE {
            if self.docker(&["version", "--format", "{{.Server.Version}}"]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("an engine of our own does not answer; its log: {}", self.log()).into())
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.path("unshare.log")).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
    }

    /// Asks this engine by the client that people use.
    pub(crate) fn docker(&self, args: &[&str]) -> Result<String, Failure> {
        let host = format!("unix://{}", self.path("docker").display());
        run(Command::new("timeout").args(["60", "docker", "-H", &host]).args(args))
    }

    pub(crate) fn kill_dockerd(&mut self) -> Result<(), Failure> {
        end(&mut self.dockerd, libc::SIGKILL)
    }

    /// Asks it to go, and waits until it has.
    pub(crate) fn shut_down(&mut self) -> Result<(), Failure> {
        end(&mut self.dockerd, libc::SIGTERM)
    }

    pub(crate) fn kill_containerd(&mut self) -> Result<(), Failure> {
        end(&mut self.containerd, libc::SIGKILL)
    }

    /// Takes all the room that there is on the engine's disk.
    pub(crate) fn fill_disk(&self) -> Result<(), Failure> {
        // It ends when there is no more room.
        let _full = std::io::copy(&mut std::io::repeat(0), &mut File::create(self.path("disk/fill"))?);
        Ok(())
    }

    pub(crate) fn free_disk(&self) -> Result<(), Failure> {
        Ok(fs::remove_file(self.path("disk/fill"))?)
    }

    /// The processes that belong to containers of this engine.
    pub(crate) fn shims(&self) -> Vec<i32> {
        let address = self.path("containerd").display().to_string();
        let ours = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains("containerd-shim") && line.contains(&address)
        };
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
    }

    /// The containers and what else runs for containers, in words.
    pub(crate) fn left(&self) -> Result<Vec<String>, Failure> {
        let containers = self.docker(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}: {{.Status}}"])?;
        let mut left: Vec<_> = containers.lines().map(|line| format!("the container {line}")).collect();
        for pid in self.shims() {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let id = line.split('\0').skip_while(|word| *word != "-id").nth(1).unwrap_or_default();
            if !containers.contains(id) {
                let tasks = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
                let within = tasks.split_whitespace().count();
                left.push(format!("a shim with {within} processes, of the container {id}, which is gone"));
            }
        }
        Ok(left)
    }

    /// Removes all of that.
    pub(crate) fn sweep(&self) {
        // What cannot be removed is counted again.
        let _gone = self.docker(&["ps", "-aq"]).map(|ids| {
            for id in ids.lines() {
                let _gone = self.docker(&["rm", "-f", id]);
            }
        });
        for pid in self.shims() {
            // SAFETY: a plain system call, for a process that this engine's containerd started.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("docker")
    }
}

fn end(child: &mut Option<Child>, signal: i32) -> Result<(), Failure> {
    let Some(mut child) = child.take() else { return Ok(()) };
    // SAFETY: a plain system call; the child has not been waited for, so its number is still its own.
    unsafe { libc::kill(i32::try_from(child.id())?, signal) };
    child.wait()?;
    Ok(())
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Nobody is left to hear of what cannot be cleaned up.
        self.sweep();
        let _gone = end(&mut self.dockerd, libc::SIGTERM);
        let _gone = end(&mut self.containerd, libc::SIGKILL);
        let below = self.dir.path().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points: Vec<_> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        for point in points.into_iter().rev().filter(|point| point.starts_with(&below)) {
            let _gone = run(Command::new("umount").args(["-l", point]));
        }
    }
}
