//! Looking at the processes of the machine from outside.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);

/// The processes of the machine that have this text in their command line.
pub(in crate::escape) fn processes(text: &str) -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let look = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        line.windows(text.len()).any(|window| window == text.as_bytes()).then(|| Seen { pid, place: entry.path() })
    };
    entries.flatten().filter_map(look).collect()
}

/// A process that was seen.
#[derive(Debug)]
pub(in crate::escape) struct Seen {
    pid: i32,
    place: PathBuf,
}

impl Seen {
    /// Memory in bytes that is its own at this moment.
    fn memory(&self) -> u64 {
        let facts = std::fs::read_to_string(self.place.join("status")).unwrap_or_default();
        let line = facts.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) << 10
    }
}

/// Ends all processes with this text in their command line, also those that are others all the time.
pub(in crate::escape) fn end(text: &str) {
    let until = Instant::now() + Duration::from_secs(10);
    let mut quiet = 0;
    while quiet < 3 && Instant::now() < until {
        let found = processes(text);
        quiet = if found.is_empty() { quiet + 1 } else { 0 };
        for process in found {
            if let Some(pid) = rustix::process::Pid::from_raw(process.pid) {
                // It may be another one by now.
                let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        if quiet > 0 {
            std::thread::sleep(TICK / 2);
        }
    }
}

/// Watches all the time how many processes there are with a text, and what they use.
#[derive(Debug)]
pub(in crate::escape) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Peak>,
}

/// The most that was seen at once.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::escape) struct Peak {
    pub(in crate::escape) processes: usize,
    pub(in crate::escape) memory: u64,
    /// How often another text, a secret, was in a command line.
    pub(in crate::escape) shown: usize,
}

impl Watch {
    pub(in crate::escape) fn start(sign: &str, secret: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (stop, sign, secret) = (Arc::clone(&over), sign.to_owned(), secret.to_owned());
        let watch = move || {
            let mut peak = Peak::default();
            while !stop.load(Ordering::Relaxed) {
                let found = processes(&sign);
                peak.processes = peak.processes.max(found.len());
                peak.memory = peak.memory.max(found.iter().map(Seen::memory).sum());
                peak.shown += processes(&secret).len();
                std::thread::sleep(TICK);
            }
            peak
        };
        Self { over, thread: std::thread::spawn(watch) }
    }

    pub(in crate::escape) fn end(self) -> Peak {
        self.over.store(true, Ordering::Relaxed);
        // Nothing in that thread panics; if it did, everything was used.
        let most = Peak { processes: usize::MAX, memory: u64::MAX, shown: usize::MAX };
        self.thread.join().unwrap_or(most)
    }
}
