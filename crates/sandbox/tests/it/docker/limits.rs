//! Commands that take too long, say too much, or want more than they are given.

use std::time::Duration;

use hedgerow_sandbox::{Command, End, Overflow, Sandbox, Witness};

use super::{containers, lane, listen, once, sh, spec, tree, until};

#[tokio::test]
async fn a_command_past_its_deadline_is_asked_and_then_killed() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut command = sh("trap 'echo asked' TERM; while :; do sleep 0.1; done", &tree).deadline(Duration::from_secs(1));
    command.grace = Duration::from_secs(1);
    let said = once(&lane, spec("deadline", &tree), command).await;
    assert_eq!(said.exit.end, End::Deadline);
    assert!(said.out().contains("asked"), "{:?}", said.out());
}

#[tokio::test]
async fn a_command_that_tidies_up_when_asked_has_its_grace_for_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let script = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.1; done";
    let mut command = sh(script, &tree);
    command.grace = Duration::from_secs(60);
    let mut running = lane.start(spec("grace", &tree)).await.expect("starts");
    let mut process = running.exec(command).await.expect("runs");
    until(&mut process, "ready").await;
    process.stopper().stop();
    let said = listen(process).await;
    assert_eq!((said.out().as_str(), said.exit.end), ("tidy\n", End::Stopped));
}

#[tokio::test]
async fn a_silent_command_is_ended_and_a_talking_one_is_not() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut command = sh("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done; sleep 100", &tree);
    command.idle = Some(Duration::from_secs(2));
    command.grace = Duration::from_millis(100);
    let said = once(&lane, spec("idle", &tree), command).await;
    assert_eq!(said.exit.end, End::Idle);
    assert!(said.out().ends_with("6\n"), "{:?}", said.out());
}

#[tokio::test]
async fn a_daemon_that_left_its_session_dies_with_its_command() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    // It beats until it is gone; and it keeps the command's output open.
    let script = "setsid sh -c 'trap \"\" TERM HUP; while :; do date +%s%N > beat; sleep 0.05; done' & \
                  until [ -e beat ]; do sleep 0.05; done; echo main";
    let said = once(&lane, spec("daemon", &tree), sh(script, &tree)).await;
    assert!(said.exit.success() && said.out() == "main\n", "{said:?}");
    let beat = || std::fs::read(tree.path.join("beat")).expect("it was beating");
    let last = beat();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(beat(), last, "it still beats");
}

#[tokio::test]
async fn endless_output_is_capped_counted_and_does_not_block_the_command() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("flood", &tree);
    spec.policy.limits.output = 100_000;
    let script = "head -c 20000000 /dev/zero; echo last words; echo after > after";
    let said = once(&lane, spec, sh(script, &tree)).await;
    assert_eq!((said.out.len(), said.truncated, said.exit.written), (100_000, 1, 20_000_011));
    assert!(said.out.ends_with(b"last words\n") && said.exit.dropped == 19_900_011, "{:?}", said.exit);
    assert!(said.exit.success() && said.exit.witness == Witness::Engine);
    assert!(tree.path.join("after").exists());
}

#[tokio::test]
async fn a_command_that_may_not_write_so_much_is_ended_for_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("limit", &tree);
    (spec.policy.limits.output, spec.policy.limits.overflow) = (10_000, Overflow::End);
    let said = once(&lane, spec, sh("echo first; head -c 20000 /dev/zero; sleep 1000", &tree)).await;
    assert_eq!(said.exit.end, End::OutputLimit, "{:?}", said.exit);
    assert!(said.out.starts_with(b"first\n"));
}

#[tokio::test]
async fn a_reader_who_never_reads_does_not_stop_the_deadline() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("unread", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    let mut command = Command::new("yes", &tree.path).deadline(Duration::from_secs(1));
    command.grace = Duration::ZERO;
    let process = running.exec(command).await.expect("runs");
    super::gone(&id).await;
    assert_eq!(process.wait().await.expect("exit").end, End::Deadline);
}

#[tokio::test]
async fn out_of_memory_is_reported_as_such_also_when_a_parent_hides_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    for script in ["exec python3 -c 'b = bytearray(400 << 20)'", "python3 -c 'b = bytearray(400 << 20)' || exit 1"] {
        let mut spec = spec("memory", &tree);
        spec.policy.limits.memory = Some(64 << 20);
        let said = once(&lane, spec, sh(script, &tree)).await;
        assert_eq!(said.exit.end, End::OutOfMemory, "{script}");
    }
}

#[tokio::test]
async fn a_fork_bomb_stays_under_the_process_limit() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("forks", &tree);
    spec.policy.limits.pids = Some(32);
    let bomb = "import os, signal\nn = 0\ntry:\n  while n < 200:\n    if os.fork() == 0: signal.pause()\n    n += 1\nexcept OSError: pass\nprint(n)";
    let command = Command::new("python3", &tree.path).args(["-c", bomb]).deadline(Duration::from_secs(60));
    let said = once(&lane, spec, command).await;
    let forked: u32 = said.out().trim().parse().expect("a number");
    assert!((1..32).contains(&forked), "{forked} processes");
}

#[tokio::test]
async fn a_full_tmp_is_an_error_inside_and_not_outside() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("tmp", &tree);
    spec.policy.limits.tmp = 4 << 20;
    let said = once(&lane, spec, sh("head -c 9000000 /dev/zero > /tmp/big; stat -c %s /tmp/big", &tree)).await;
    assert!(said.err().contains("No space left"), "{}", said.err());
    assert_eq!(said.out().trim(), (4 << 20).to_string());
}

#[tokio::test]
async fn what_a_longer_command_used_is_measured() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut running = lane.start(spec("usage", &tree)).await.expect("starts");
    let burn = "import time\nb = bytearray(50 << 20)\nend = time.time() + 4\nwhile time.time() < end: pass";
    let command = Command::new("python3", &tree.path).args(["-c", burn]);
    let said = listen(running.exec(command).await.expect("runs")).await;
    let usage = said.exit.usage;
    assert!(usage.peak_memory.is_some_and(|bytes| bytes >= 50 << 20), "{usage:?}");
    assert!(usage.cpu.is_some_and(|cpu| cpu > Duration::from_millis(50)), "{usage:?}");
    assert_eq!(running.usage().await.expect("usage"), usage);
}

#[tokio::test]
async fn sixteen_at_once_all_come_to_their_end() {
    let Some(lane) = lane().await else { return };
    let tree = std::sync::Arc::new(tree());
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (lane, tree) = (lane.clone(), std::sync::Arc::clone(&tree));
        all.spawn(async move {
            let spec = spec("many", &tree);
            let id = spec.id.clone();
            let said = once(&lane, spec, sh(&format!("sleep 0.5; echo {n}; exit {n}"), &tree)).await;
            assert_eq!((said.out(), said.exit.end), (format!("{n}\n"), End::Exited { code: n }));
            assert!(containers(&id).await.is_empty());
        });
    }
    while let Some(done) = all.join_next().await {
        done.expect("one of sixteen");
    }
}
