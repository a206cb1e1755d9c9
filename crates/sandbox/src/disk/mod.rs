//! What a command writes to the disk: growth of the writable mounts and the home since it began.
//!
//! No kernel counts this for a user without privileges, so it is measured: what the file systems say they have left is
//! asked often and costs nothing, but others write there too; when it says that the limit may be reached, and every
//! now and then in any case, the trees are walked, which says whose it is. How often is bound by what a walk costs.

mod nameless;
mod pace;
mod room;
mod tally;
mod walk;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use self::pace::Pace;
use self::room::Rooms;
use self::tally::Tally;
use self::walk::Walk;

/// How often file systems are asked.
const TICK: Duration = Duration::from_millis(50);

/// A watch over what one command writes; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Disk {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    exceeded: AtomicBool,
    /// Zero until it is known.
    supervisor: AtomicI32,
}

impl Disk {
    /// Begins to measure how much the trees at `roots` grow.
    pub(super) fn watch(roots: &[PathBuf], limit: u64) -> io::Result<Self> {
        let roots = open(roots)?;
        let rooms = Rooms::new(&roots);
        let shared = Arc::new(Shared::default());
        let mine = Arc::clone(&shared);
        let body = move || measure(&roots, rooms, Tally::limit(limit), &mine);
        let thread = std::thread::Builder::new().name("hedgerow-disk".into()).spawn(body)?.thread().clone();
        Ok(Self { shared, thread })
    }

    /// Says below which process the command runs.
    pub(super) fn supervisor(&self, pid: Pid) {
        self.shared.supervisor.store(pid.as_raw_nonzero().get(), Ordering::Relaxed);
    }

    /// Whether the limit was seen to be exceeded.
    pub(super) fn exceeded(&self) -> bool {
        self.shared.exceeded.load(Ordering::Relaxed)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The thread is not waited for: a file system may hold it.
        self.shared.over.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

impl Shared {
    fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn supervisor(&self) -> Option<Pid> {
        Pid::from_raw(self.supervisor.load(Ordering::Relaxed))
    }
}

/// The trees, each once; one that lies in another is measured with that.
fn open(roots: &[PathBuf]) -> io::Result<Vec<File>> {
    let mut outer: Vec<&PathBuf> = Vec::new();
    for root in roots {
        if !outer.iter().any(|other| root.starts_with(other)) {
            outer.retain(|other| !other.starts_with(root));
            outer.push(root);
        }
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    outer.into_iter().map(|root| Ok(rustix::fs::open(root, flags, Mode::empty())?.into())).collect()
}

fn measure(roots: &[File], mut rooms: Rooms, limit: Tally, shared: &Shared) {
    let look = |before: Option<Tally>| {
        let began = Instant::now();
        let enough = before.map(|before| before + limit);
        let mut tally = Walk::new(&|| shared.over(), enough).all(roots)?;
        if let Some(supervisor) = shared.supervisor().filter(|_| before.is_some()) {
            tally += nameless::of(supervisor, roots);
        }
        Some((tally, began.elapsed()))
    };
    let Some((before, cost)) = look(None) else { return };
    let mut pace = Pace::new(limit, Instant::now(), cost);
    loop {
        std::thread::park_timeout(TICK);
        if shared.over() {
            return;
        }
        pace.written(rooms.taken());
        if !pace.due(Instant::now()) {
            continue;
        }
        let Some((now, cost)) = look(Some(before)) else { return };
        if pace.looked(now.since(before), Instant::now(), cost) {
            shared.exceeded.store(true, Ordering::Relaxed);
            return;
        }
    }
}
