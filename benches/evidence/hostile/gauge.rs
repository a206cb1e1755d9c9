//! How much of the machine is used while something runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(20);

/// Looks at the whole machine until it is asked for what it saw.
#[derive(Debug)]
pub(super) struct Gauge {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Peak>,
    before: Peak,
}

/// Processes of the machine, and memory that is not available, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    pub(super) processes: u64,
    pub(super) memory: u64,
}

impl Gauge {
    pub(super) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let before = Peak::now();
        let watch = move || {
            let mut peak = before;
            while !stop.load(Ordering::Relaxed) {
                let now = Peak::now();
                peak = Peak { processes: peak.processes.max(now.processes), memory: peak.memory.max(now.memory) };
                std::thread::sleep(TICK);
            }
            peak
        };
        Self { over, thread: std::thread::spawn(watch), before }
    }

    /// By how much more was used than at the beginning.
    pub(super) fn rise(self) -> Peak {
        self.over.store(true, Ordering::Relaxed);
        // Nothing in that thread panics; if it did, everything was used.
        let peak = self.thread.join().unwrap_or(Peak { processes: u64::MAX, memory: u64::MAX });
        Peak { processes: peak.processes - self.before.processes, memory: peak.memory - self.before.memory }
    }
}

impl Peak {
    fn now() -> Self {
        let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse::<u32>().ok();
        let processes = std::fs::read_dir("/proc").map_or(0, |entries| entries.filter_map(number).count() as u64);
        let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let mib = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
        };
        Self { processes, memory: mib("MemTotal:").saturating_sub(mib("MemAvailable:")) }
    }
}
