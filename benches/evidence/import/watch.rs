//! Sees panics, and cases that do not end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::progress;

/// How many seconds a case may take.
const LIMIT: u64 = 120;

/// Counts seconds in which this process ran, so that one that was stopped for a while is not taken for one that hangs.
#[derive(Debug)]
pub(super) struct Watch {
    seconds: Arc<AtomicU64>,
    panics: Arc<AtomicU64>,
    current: Arc<Mutex<Option<(u64, String)>>>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let watch = Self { seconds: Arc::default(), panics: Arc::default(), current: Arc::default() };
        let (seconds, current) = (Arc::clone(&watch.seconds), Arc::clone(&watch.current));
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let now = seconds.fetch_add(1, Ordering::Relaxed);
                let current = current.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((began, what)) = &*current
                    && now - began > LIMIT
                {
                    progress(&format!("MISSED: a hang: {what}"));
                    std::process::abort();
                }
            }
        });
        let (panics, current) = (Arc::clone(&watch.panics), Arc::clone(&watch.current));
        std::panic::set_hook(Box::new(move |info| {
            panics.fetch_add(1, Ordering::Relaxed);
            let what = current.try_lock().map(|current| format!("{current:?}")).unwrap_or_default();
            progress(&format!("a panic: {info} in {what}"));
        }));
        watch
    }

    pub(super) fn begin(&self, what: String) {
        let now = self.seconds.load(Ordering::Relaxed);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, what));
    }

    pub(super) fn end(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(super) fn minutes(&self) -> u64 {
        self.seconds.load(Ordering::Relaxed) / 60
    }
}
