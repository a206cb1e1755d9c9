//! Removing containers that are not kept ready any more.

use std::sync::Arc;

use tokio::time::sleep;

use crate::{Result, SandboxId};

use super::super::Lane;
use super::super::input::Names;
use super::super::left_over::{PAUSE, TRIES};
use super::NOBODYS;

/// Removes a container, which is one of these names. What cannot be removed now is tried again and again by a task that nobody
/// waits for, and is reaped from this process too. Nobody can have taken it over meanwhile: what was kept ready is not.
pub(super) async fn discard(lane: &Arc<Lane>, container: &str, names: &[String]) -> Result<()> {
    let removed = lane.engine.remove(container).await;
    if removed.is_err() {
        for name in names {
            if let Ok(sandbox) = noted_for(name) {
                lane.note_left_over(&sandbox, [name.clone()]);
            }
        }
        let (lane, container, names) = (Arc::clone(lane), container.to_owned(), names.to_vec());
        tokio::spawn(async move {
            for _ in 0..TRIES {
                sleep(PAUSE).await;
                if lane.engine.remove(&container).await.is_ok() {
                    return lane.forget_left_over(&names);
                }
            }
        });
    }
    removed
}

/// The sandbox that it was to be given to, if any; that one's next command looks for it too.
fn noted_for(name: &str) -> Result<SandboxId> {
    SandboxId::new(Names::parse(name).map_or(NOBODYS, |(id, _)| id))
}
