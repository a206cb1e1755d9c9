//! When and how a command is ended before it ends by itself.

use crate::intake::Intake;
use crate::{Command, End, Feed};

use super::leash::Leash;

/// Ends the command when its time is up or its reader asks for it: SIGTERM, and SIGKILL after its grace. Never resolves.
pub(crate) async fn enforce(command: &Command, feed: &Feed, intake: &Intake, leash: &Leash) {
    let cause = tokio::select! {
        biased;
        () = feed.kill_requested() => {
            leash.because(End::Stopped);
            leash.kill();
            return std::future::pending().await;
        }
        () = feed.stop_requested() => End::Stopped,
        () = tokio::time::sleep(command.deadline) => End::Deadline,
        () = intake.silent(command.idle) => End::Idle,
        () = intake.too_much() => End::OutputLimit,
    };
    leash.because(cause);
    leash.terminate();
    tokio::select! {
        () = feed.kill_requested() => {}
        () = tokio::time::sleep(command.grace) => {}
    }
    leash.kill();
    std::future::pending::<()>().await;
}
