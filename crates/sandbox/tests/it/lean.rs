//! What a running command costs its host in memory.

use hedgerow_sandbox::Secret;

use crate::world::{alive, eventually, lanes, nap, open, run, sh, start, watch};

/// What the host works with, in KiB.
const WORK: u64 = 64 << 10;
/// Makes orphans, many in the time for which a supervisor keeps the host's memory.
const NOISE: &str = "(while :; do (true &); sleep 0.01; done) &";
/// Stands for a command with a secret in a file.
const SECRET: &str = ": secret;";
/// More than a supervisor needs for itself.
const LITTLE: u64 = 4 << 10;

#[tokio::test]
async fn a_host_that_goes_on_working_does_not_pay_for_its_old_memory_once_more_with_every_command() {
    let mut work = vec![1_u8; usize::try_from(WORK << 10).unwrap()];
    // The second is never quiet: its orphans wake the supervisor all the time. The third has a file that is removed at its end.
    for (lane, before) in lanes().iter().flat_map(|lane| [(lane, ""), (lane, NOISE), (lane, SECRET)]) {
        let nap = nap();
        let mut running = start(&**lane, open()).await;
        let mut command = sh(format!("{before} exec sleep {nap}"));
        if before == SECRET {
            command = command.secret(Secret::file("token", "value").unwrap());
        }
        let process = running.exec(command).await.unwrap();
        work.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        std::hint::black_box(&work);
        assert!(own(std::process::id()) > WORK, "the host has it");
        let mut last = 0;
        eventually(&format!("{lane:?} gives it back"), || {
            let sleeper = alive(&nap).iter().find_map(|line| line.split_once(": sleep")?.0.parse::<u64>().ok());
            last = sleeper.and_then(|pid| field(pid, "PPid:")).map_or(u64::MAX, own);
            last < LITTLE
        });
        process.stopper().kill();
        watch(process).await;
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
    }
}

#[tokio::test]
async fn a_supervisor_that_gave_its_memory_back_still_collects_orphans_and_ends_what_is_left() {
    for lane in lanes() {
        let nap = nap();
        let script = format!("sleep 0.5; (setsid sleep {nap} &); (true &); sleep 0.2; exit 7");
        let seen = run(&*lane, open(), sh(script)).await;
        assert_eq!(seen.exit.end, hedgerow_sandbox::End::Exited { code: 7 }, "{lane:?}");
        assert_eq!((seen.exit.leftovers, alive(&nap)), (Some(1), Vec::new()), "{lane:?}");
    }
}

/// The memory of a process that is of no file, in KiB.
fn own(pid: impl ToString) -> u64 {
    field(pid, "RssAnon:").unwrap_or(u64::MAX)
}

fn field(pid: impl ToString, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.to_string())).ok()?;
    status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}
