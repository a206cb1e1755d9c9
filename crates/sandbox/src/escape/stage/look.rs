//! What is seen from outside after a probe.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Peak, Stage, processes};
use crate::escape::probe::{Effect, Probe, Rest};
use crate::escape::run::Ran;
use crate::{Limits, Sandbox};

/// How long what ran with others may take to be gone; time has passed since it ended.
const TOGETHER: Duration = Duration::from_millis(300);

/// How long a service of the host may take to hear what was said to it.
const HEARING: Duration = Duration::from_secs(20);

/// What the things that a probe is after looked like before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before(Option<Vec<u8>>);

/// What was seen while a probe ran in a command of its own.
#[derive(Clone, Copy, Debug)]
pub(in crate::escape) struct While<'a> {
    pub(in crate::escape) ran: &'a Ran,
    pub(in crate::escape) peak: Peak,
    pub(in crate::escape) limits: &'a Limits,
    /// How long what was killed may take to be gone.
    pub(in crate::escape) grace: Duration,
    /// Whether it did not end by itself where it should have.
    pub(in crate::escape) hung: bool,
}

impl Stage {
    pub(super) fn look_before(&self, probe: &Probe) -> Before {
        Before(match probe.effect {
            Effect::Changes(path) => self.fill(probe, path).ok().and_then(|path| facts(Path::new(&path))),
            Effect::Unpins => self.pinned(probe),
            Effect::Disturbs => self.treatment(probe),
            _ => None,
        })
    }

    /// Whether it is seen from outside that a probe got through; what it printed is looked at for secrets.
    pub(in crate::escape) fn through(&self, probe: &Probe, said: &[u8], during: Option<While<'_>>) -> bool {
        let path = |template: &str| self.fill(probe, template).ok();
        let there = |template: &str| path(template).is_some_and(|path| Path::new(&path).symlink_metadata().is_ok());
        let holds = |text: &[u8]| !text.is_empty() && said.windows(text.len()).any(|window| window == text);
        let before = self.before.get(probe.id);
        match probe.effect {
            Effect::Said | Effect::Own | Effect::Remains(_) => false,
            Effect::Appears(path) => there(path),
            Effect::Vanishes(template) => path(template).is_some() && !there(template),
            Effect::Changes(_) | Effect::Unpins => before.is_some_and(|before| *before != self.look_before(probe)),
            Effect::Disturbs => before.is_some_and(|b| b.0.is_some() && *b != self.look_before(probe)),
            Effect::Privileged(template) => path(template)
                .and_then(|path| Path::new(&path).symlink_metadata().ok())
                .is_some_and(|facts| facts.mode() & 0o6000 != 0),
            Effect::Leaks => holds(self.secret(probe.id).as_bytes()),
            Effect::Reads(template) => {
                path(template).and_then(|p| std::fs::read(p).ok()).is_some_and(|text| holds(&text))
            }
            Effect::Sees(path) => Path::new(path)
                .symlink_metadata()
                .is_ok_and(|f| holds(format!("SEEN {}:{}\n", f.dev(), f.ino()).as_bytes())),
            Effect::Heard => self.listeners.heard(&format!("{};", probe.id)),
            Effect::Survives => self.survives(probe, during.map_or(TOGETHER, |d| d.grace)),
            Effect::Hangs => during.is_some_and(|d| d.hung || self.survives(probe, d.grace)),
            Effect::Crowds => {
                during.is_some_and(|d| d.limits.pids.is_some_and(|most| d.peak.processes > most as usize))
            }
            Effect::Hoards => {
                // A watcher may be a moment late.
                during.is_some_and(|d| d.limits.memory.is_some_and(|most| d.peak.memory > most + most / 2))
            }
            Effect::Floods => during.is_some_and(|d| d.ran.flooded(d.limits.output)),
            Effect::Mangles => during.is_some_and(|d| !d.ran.stdout.starts_with(FRAMES)),
            Effect::Shows => during.is_some_and(|d| d.peak.shown > 0),
        }
    }

    /// Waits until the services of the host have heard all that was said to them, however busy the machine is.
    pub(in crate::escape) async fn catch_up(&self) {
        let (before, until) = (self.listeners.idle(), Instant::now() + HEARING);
        let behind = || self.listeners.idle().iter().zip(&before).any(|(now, before)| *now < before + 2);
        while behind() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn survives(&self, probe: &Probe, grace: Duration) -> bool {
        let (until, sign) = (Instant::now() + grace, self.sign(probe));
        loop {
            // One that is another one all the time may be missed now and then.
            if (0..10).all(|_| processes(&sign).is_empty()) {
                return false;
            }
            if Instant::now() > until {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What of this kind is left when all is over, each in one word.
    pub(in crate::escape) async fn left(&self, rest: Rest, sandbox: &dyn Sandbox) -> crate::Result<Vec<String>> {
        Ok(match rest {
            Rest::Processes => processes(&self.any_sign()).iter().map(|process| format!("{process:?}")).collect(),
            Rest::Mounts => match std::fs::read_to_string("/proc/self/mountinfo") {
                Ok(mounts) => mounts.lines().filter(|line| line.contains(&self.nonce)).map(str::to_owned).collect(),
                // What cannot be told must not pass for nothing.
                Err(e) => vec![format!("the mounts cannot be read: {e}")],
            },
            Rest::Sandboxes => sandbox.list(&self.labels()).await?.iter().map(ToString::to_string).collect(),
            Rest::Files => {
                let now = self.listed();
                now.iter()
                    .filter(|path| !self.furniture.contains(path))
                    .map(|path| path.display().to_string())
                    .collect()
            }
        })
    }

    /// The file of the tree and the one that is mounted over it.
    fn pinned(&self, probe: &Probe) -> Option<Vec<u8>> {
        let under = self.fill(probe, "<PIN>").ok()?;
        Some([facts(Path::new(&under))?, facts(&self.pin(probe.id))?].concat())
    }

    /// How the process of a probe is treated; nothing when it is dead.
    fn treatment(&self, probe: &Probe) -> Option<Vec<u8>> {
        let pid = self.bystanders.get(probe.id)?.id();
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let state = match *fields.first()? {
            "Z" | "X" => "dead",
            "T" | "t" => "stopped",
            _ => "alive",
        };
        Some(format!("{state} {} {} {}", fields.get(16)?, read("oom_score_adj"), read("limits")).into_bytes())
    }
}

/// The content, owner, mode and time of a file, or what a link says.
fn facts(path: &Path) -> Option<Vec<u8>> {
    let facts = path.symlink_metadata().ok()?;
    let content = if facts.is_file() { std::fs::read(path) } else { Ok(Vec::new()) };
    let mut all = format!("{:o} {} {} {} ", facts.mode(), facts.uid(), facts.gid(), facts.mtime()).into_bytes();
    all.extend(content.unwrap_or_default());
    Some(all)
}

/// What `life.forged-frames` prints.
const FRAMES: &[u8] = b"\x01\0\0\0\xff\xff\xff\xf0x\x02\0\0\0\0\0\0\x05\0\xff\xfe\x1b[2J\r\n";
