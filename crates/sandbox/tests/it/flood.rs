//! Programs that give the process that looks after them more to do than it can.

use std::time::Duration;

use hedgerow_sandbox::{Access, Command, End, Mount};

use crate::world::{PATIENCE, lanes, open, start, watch};

/// A supervisor that first takes all that comes would take for ever, and never look at what the host demands.
#[tokio::test]
async fn signals_and_orphans_without_end_hold_up_neither_the_deadline_nor_the_next_command() {
    let program = crate::probe::path();
    for lane in lanes() {
        let mut spec = open();
        spec.mounts.push(Mount {
            source: program.clone().into(),
            target: program.clone().into(),
            access: Access::ReadOnly,
        });
        let mut running = start(&*lane, spec).await;
        let mut command = crate::probe::told(Command::new(&program, "/"), "flood 4").deadline(Duration::from_secs(1));
        command.grace = Duration::from_millis(300);
        let flood = watch(running.exec(command).await.unwrap());
        let seen = tokio::time::timeout(PATIENCE, flood).await.unwrap_or_else(|_| panic!("{lane:?} never ended it"));
        assert_eq!(seen.exit.end, End::Deadline, "{lane:?}: {}", seen.text());
        let next = watch(running.exec(crate::world::sh("exit 7")).await.unwrap()).await;
        assert_eq!(next.exit.end, End::Exited { code: 7 }, "{lane:?}");
    }
}
