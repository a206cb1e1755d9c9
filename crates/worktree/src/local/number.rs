//! Finds names that are free.

use crate::{Collision, Error, Request, Result, Worktree};

/// How many names are tried.
const TRIES: usize = 100;

/// Creates what the request asks for, under numbered names if it allows that and its own are taken.
pub(super) async fn create<F, C>(request: Request, once: F) -> Result<Worktree>
where
    F: Fn(Request) -> C + Send + Sync,
    C: Future<Output = Result<Worktree>> + Send,
{
    let taken = match once(request.clone()).await {
        Err(e @ Error::Occupied { .. }) if request.collision == Collision::Number => e,
        done => return done,
    };
    for number in 2..=TRIES {
        match once(request.numbered(number)?).await {
            Err(Error::Occupied { .. }) => {}
            done => return done,
        }
    }
    // The first one names what was asked for.
    Err(taken)
}
