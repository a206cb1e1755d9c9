//! Output comes whole, capped, and from one command only.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

use hedgerow_sandbox::{End, Output, Policy, Stream};

use crate::world::{lanes, open, run, sh, spec, start};

#[tokio::test]
async fn twenty_megabytes_are_capped_marked_once_counted_whole_and_block_nobody() {
    for lane in lanes() {
        let mut policy = Policy::open();
        policy.limits.output = 100_000;
        let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo done >&2; exit 3";
        let seen = run(&*lane, spec(policy), sh(script)).await;
        assert_eq!(seen.exit.end, End::Exited { code: 3 }, "{lane:?}");
        assert_eq!((seen.stdout.len() + seen.stderr.len(), seen.marks), (100_000, 1), "{lane:?}");
        assert_eq!(seen.exit.written, 20_000_005, "{lane:?}");
    }
}

#[tokio::test]
async fn of_a_long_log_the_beginning_and_the_end_are_kept_and_the_size_of_the_gap_is_known() {
    for lane in lanes() {
        let mut policy = Policy::open();
        policy.limits.output = 100_000;
        let mut running = start(&*lane, spec(policy)).await;
        let command = sh("seq 300000; echo warning >&2; echo the very last words");
        let mut process = running.exec(command).await.unwrap();
        let (mut head, mut gap, mut tail, mut errors) = (Vec::new(), 0, Vec::new(), Vec::new());
        while let Some(output) = process.next().await {
            match output {
                Output::Bytes(Stream::Stderr, bytes) => errors.extend(bytes),
                Output::Bytes(_, bytes) if gap == 0 => head.extend(bytes),
                Output::Bytes(_, bytes) => tail.extend(bytes),
                Output::Truncated { stream, dropped } => (_, gap) = (assert_eq!(stream, Stream::Stdout), dropped),
            }
        }
        let exit = process.wait().await.unwrap();
        let whole: String =
            (1..=300_000).map(|n| format!("{n}\n")).chain(["the very last words\n".to_owned()]).collect();
        assert!(whole.as_bytes().starts_with(&head) && whole.as_bytes().ends_with(&tail), "{lane:?}");
        assert!(tail.len() > 10_000, "{lane:?}: only {} bytes of the end", tail.len());
        assert_eq!(head.len() as u64 + gap + tail.len() as u64, whole.len() as u64, "{lane:?}");
        assert_eq!((exit.dropped, exit.written), (gap, whole.len() as u64 + 8), "{lane:?}");
        assert_eq!(errors, b"warning\n", "{lane:?}");
    }
}

#[tokio::test]
async fn a_line_that_never_ends_is_stopped_by_the_deadline_and_stays_under_the_cap() {
    for lane in lanes() {
        let mut policy = Policy::open();
        policy.limits.output = 1 << 20;
        let command = sh("while :; do printf xxxxxxxxxxxxxxxx; done").deadline(Duration::from_secs(1));
        let seen = run(&*lane, spec(policy), command).await;
        assert_eq!(seen.exit.end, End::Deadline, "{lane:?}");
        assert!(seen.stdout.len() <= 1 << 20, "{lane:?}");
    }
}

#[tokio::test]
async fn bytes_arrive_as_they_were_written() {
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for lane in lanes() {
        let seen = run(&*lane, open(), sh("cat").stdin(all.clone())).await.ok();
        assert!(seen.stdout == all, "{lane:?}: {} bytes of {}", seen.stdout.len(), all.len());
    }
}

#[tokio::test]
async fn standard_input_ends() {
    for lane in lanes() {
        let seen = run(&*lane, open(), sh("wc -c")).await.ok();
        assert_eq!(seen.out(), "0", "{lane:?}");
        let seen = run(&*lane, open(), sh("read line; echo got $line").stdin("one\ntwo\n")).await.ok();
        assert_eq!(seen.out(), "got one", "{lane:?}");
    }
}

#[tokio::test]
async fn a_program_that_does_not_read_its_input_is_no_failure() {
    for lane in lanes() {
        run(&*lane, open(), sh("exec <&-; sleep 0.2; true").stdin(vec![b'x'; 4 << 20])).await.ok();
    }
}

#[tokio::test]
async fn a_secret_in_the_hosts_environment_does_not_arrive() {
    // Cargo sets it for the test; whatever the host has must not be inside.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    for lane in lanes() {
        let seen = run(&*lane, open(), sh("exec env").env("GIVEN", "yes")).await.ok();
        let keys: BTreeSet<_> = seen.out().lines().map(|l| l.split_once('=').unwrap().0).collect();
        let own = ["GIVEN", "HEDGEROW_SANDBOX", "HOME", "LANG", "PATH", "PWD", "TMPDIR"];
        assert!(keys.is_subset(&own.into()), "{lane:?}: {keys:?}");
        assert!(keys.is_superset(&["GIVEN", "HOME", "LANG", "PATH", "TMPDIR"].into()), "{lane:?}: {keys:?}");
    }
}

#[tokio::test]
async fn a_descriptor_that_the_host_forgot_to_close_on_exec_does_not_arrive() {
    let mut secret = tempfile::tempfile().unwrap();
    secret.write_all(b"secret").unwrap();
    // A duplicate without the flag, as a careless library leaves it open.
    let leaked = rustix::io::fcntl_dupfd_cloexec(&secret, 20).unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let script = format!("test -e /proc/self/fd/{} && echo leaked; ls /proc/self/fd", leaked.as_raw_fd());
    for lane in lanes() {
        let seen = run(&*lane, open(), sh(&script)).await.ok();
        // `ls` opens the directory itself as the next free number.
        assert_eq!(seen.out(), "0\n1\n2\n3", "{lane:?}");
    }
}

#[tokio::test]
async fn silence_is_ended_and_talk_is_not() {
    for lane in lanes() {
        let mut command = sh("echo hello; sleep 60");
        command.idle = Some(Duration::from_millis(500));
        assert_eq!(run(&*lane, open(), command).await.exit.end, End::Idle, "{lane:?}");
        let mut command = sh("for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done");
        command.idle = Some(Duration::from_millis(1500));
        run(&*lane, open(), command).await.ok();
    }
}
