//! The thread that purges in the background, as long as there is something to do and somebody has the manager.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Purge;
use crate::local::layout::Layout;

/// Starts the thread when it is needed, and ends it with the last handle of the manager.
///
/// Not on the runtime: a runtime that shuts down would wait for it.
#[derive(Debug)]
pub(in crate::local) struct Purger {
    shared: Arc<Shared>,
    grace: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    state: Mutex<Thread>,
    changed: Condvar,
}

/// What the thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Thread {
    /// There is none.
    #[default]
    None,
    /// It is at work, or waits until something is due.
    Running,
    /// As before, and something has left since its last look.
    Called,
}

impl Purger {
    pub(in crate::local) fn new(grace: Duration) -> Self {
        Self { shared: Arc::default(), grace }
    }

    /// How long entries stay.
    pub(in crate::local) fn grace(&self) -> Duration {
        self.grace
    }

    /// Has the trash looked at soon.
    pub(in crate::local) fn call(&self, layout: &Layout) {
        let mut state = self.shared.state();
        if *state != Thread::None {
            *state = Thread::Called;
            self.shared.changed.notify_all();
            return;
        }
        let (shared, layout, grace) = (Arc::clone(&self.shared), layout.clone(), self.grace);
        let thread = std::thread::Builder::new().name("hedgerow-purge".into());
        // Without a thread it stays in the trash, where the next call or process finds it.
        if thread.spawn(move || shared.work(&layout, grace)).is_ok() {
            *state = Thread::Running;
        }
    }
}

impl Drop for Purger {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _state = self.shared.state();
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, Thread> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing more leaves: deletion would get into the way of those that are just being removed.
    fn settle(&self) {
        const QUIET: Duration = Duration::from_millis(10);
        const MOST: Duration = Duration::from_millis(250);
        let started = Instant::now();
        let mut state = self.state();
        while !self.stop.load(Ordering::Relaxed) {
            *state = Thread::Running;
            state = self.changed.wait_timeout(state, QUIET).unwrap_or_else(PoisonError::into_inner).0;
            if *state != Thread::Called || started.elapsed() > MOST {
                break;
            }
        }
    }

    fn work(&self, layout: &Layout, grace: Duration) {
        let _end = End(self);
        let mut purge = Purge::new(layout, grace, &self.stop);
        loop {
            self.settle();
            // What could not be deleted is reported to whoever asks for it.
            let wait = purge.round().ok().and_then(|round| round.wait);
            let mut state = self.state();
            if let (Some(wait), Thread::Running, false) = (wait, *state, self.stop.load(Ordering::Relaxed)) {
                state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
            let done = wait.is_none() && *state != Thread::Called;
            if done || self.stop.load(Ordering::Relaxed) {
                // Before anybody can call again who would believe that it goes on.
                *state = Thread::None;
                return;
            }
            *state = Thread::Running;
        }
    }
}

/// Lets the next call start a thread again, should this one panic.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.state() = Thread::None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::lock::Lock;

    #[test]
    fn a_thread_that_panics_does_not_keep_the_next_one_from_starting() {
        let shared = Arc::new(Shared { state: Mutex::new(Thread::Running), ..Shared::default() });
        let other = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let _end = End(&other);
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert_eq!(*shared.state(), Thread::None);
    }

    #[test]
    fn the_thread_ends_with_its_manager_even_while_it_waits() {
        let dir = tempfile::tempdir().unwrap();
        let common = dir.path().to_owned();
        let state = common.join("hedgerow");
        let layout = Layout {
            trees: common.join("trees"),
            main: None,
            git: None,
            state,
            common,
            owner: "test".into(),
            left: Arc::default(),
            hidden: Default::default(),
            threads: 1,
            gate: Arc::default(),
        };
        std::fs::create_dir_all(layout.trash()).unwrap();
        std::fs::write(layout.leaving("x"), "").unwrap();
        // Somebody else is at it, so that there is always something to wait for.
        let _busy = Lock::take(&layout.purge()).unwrap().unwrap();
        let purger = Purger::new(Duration::ZERO);
        purger.call(&layout);
        purger.call(&layout);
        let thread = Arc::downgrade(&purger.shared);
        drop(purger);
        while thread.upgrade().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
