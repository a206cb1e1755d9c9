//! Work on a tree that several threads do together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::{Error, Result};

/// More threads only wait for one another: one directory after the other is short work.
const MOST: usize = 4;

/// What is still to be done. Whoever takes something from it may put more upon it.
///
/// What a thread finds it does itself, and shares only when another one has nothing to do: most pieces are so short that
/// handing them over would cost more.
#[derive(Debug)]
pub(super) struct Stack<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// How many threads wait for something to do.
    idle: AtomicUsize,
    /// Somebody failed, so that the rest need not be done.
    failed: AtomicBool,
}

#[derive(Debug)]
struct State<T> {
    waiting: Vec<T>,
    /// How many threads are at work, and may add to what waits.
    busy: usize,
}

impl<T> Stack<T> {
    /// A stack with one piece of work.
    pub(super) fn new(first: T) -> Self {
        let state = Mutex::new(State { waiting: vec![first], busy: 0 });
        Self { state, changed: Condvar::new(), idle: AtomicUsize::new(0), failed: AtomicBool::new(false) }
    }

    /// Works until nothing is left that anybody could add to, or until somebody fails.
    pub(super) fn work(&self, mut one: impl FnMut(T) -> Result<Vec<T>>) -> Result<()> {
        while let Some(step) = self.take() {
            let turn = Turn { stack: self, done: false };
            let mut mine = vec![step];
            while let Some(step) = mine.pop() {
                if self.failed.load(Ordering::Relaxed) {
                    break;
                }
                mine.extend(one(step)?);
                if mine.len() > 1 && self.idle.load(Ordering::Relaxed) > 0 {
                    // What was found first has most below it.
                    self.lock().waiting.extend(mine.drain(..mine.len() / 2));
                    self.changed.notify_one();
                }
            }
            turn.finish();
        }
        Ok(())
    }

    fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if self.failed.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(step) = state.waiting.pop() {
                state.busy += 1;
                return Some(step);
            }
            if state.busy == 0 {
                return None;
            }
            self.idle.fetch_add(1, Ordering::Relaxed);
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            self.idle.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread at work; if it ends without having finished, by an error or a panic, the others stop.
struct Turn<'a, T> {
    stack: &'a Stack<T>,
    done: bool,
}

impl<T> Turn<'_, T> {
    fn finish(mut self) {
        self.done = true;
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut state = self.stack.lock();
        state.busy -= 1;
        if !self.done {
            self.stack.failed.store(true, Ordering::Relaxed);
        }
        self.stack.changed.notify_all();
    }
}

/// Does the same work in so many threads at most, this one among them.
pub(super) fn together<T: Send>(threads: usize, work: &(impl Fn() -> Result<T> + Sync)) -> Vec<Result<T>> {
    let threads = threads.min(MOST);
    std::thread::scope(|scope| {
        // Where no thread can be had, fewer do the same.
        let others = (1..threads).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok());
        let others: Vec<_> = others.collect();
        let mut results = vec![work()];
        for other in others {
            results.push(other.join().unwrap_or_else(|_| {
                Err(Error::Git { action: "look through a tree".into(), source: "a thread panicked".into() })
            }));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_whoever_does_it() {
        let done = AtomicUsize::new(0);
        let stack = Stack::new(12_usize);
        let work = || {
            stack.work(|n| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok(if n == 0 { Vec::new() } else { vec![n - 1, n - 1] })
            })
        };
        assert!(together(MOST, &work).into_iter().all(|result| result.is_ok()));
        assert_eq!(done.into_inner(), (1 << 13) - 1);
    }

    #[test]
    fn an_error_ends_the_work_of_all() {
        let stack = Stack::new(0_u64);
        let work = || {
            stack.work(|n| match n {
                1000 => Err(Error::Locked { path: "x".into(), seconds: 1 }),
                // Without the error this would go on for ever.
                n => Ok(vec![n + 1]),
            })
        };
        assert_eq!(together(MOST, &work).into_iter().filter(Result::is_err).count(), 1);
    }
}
