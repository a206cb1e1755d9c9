//! An exit says what is known, and how it was learnt.

use std::time::Duration;

use hedgerow_sandbox::{End, Overflow, Witness};

use crate::world::{alive, eventually, lanes, nap, open, run, sh};

#[tokio::test]
async fn an_end_that_was_seen_is_told_from_one_that_was_not() {
    for lane in lanes() {
        for (script, end) in [("exit 3", End::Exited { code: 3 }), ("kill -9 $$", End::Signaled { signal: 9 })] {
            let exit = run(&*lane, open(), sh(script)).await.exit;
            assert_eq!((exit.end, exit.witness, exit.leftovers), (end, Witness::Parent, Some(0)), "{lane:?}");
        }
        // We ended it ourselves, and saw that nothing is left; how the program took it does not matter.
        let exit = run(&*lane, open(), sh("sleep 60").deadline(Duration::from_millis(300))).await.exit;
        assert_eq!((exit.end, exit.witness), (End::Deadline, Witness::Parent), "{lane:?}");
    }
}

/// In the native lane it cannot even be seen, let alone killed.
#[tokio::test]
async fn a_supervisor_that_dies_takes_the_knowledge_with_it() {
    let lane = hedgerow_sandbox::HostSandbox::new().unwrap();
    let exit = run(&lane, open(), sh("kill -9 $PPID; exit 0")).await.exit;
    assert!(matches!(exit.end, End::Lost { .. }), "{exit:?}");
    assert_eq!(exit.witness, Witness::Nobody);
    assert!(!exit.success());
}

#[tokio::test]
async fn what_was_left_when_the_program_ended_is_killed_and_counted() {
    for lane in lanes() {
        let nap = nap();
        let script = format!("sleep {nap} & setsid sleep {nap} & (trap '' TERM; exec sleep {nap}) & exit 5");
        let exit = run(&*lane, open(), sh(script)).await.exit;
        assert_eq!((exit.end, exit.leftovers), (End::Exited { code: 5 }, Some(3)), "{lane:?}");
        assert_eq!(alive(&nap), Vec::<String>::new(), "{lane:?}");
    }
}

#[tokio::test]
async fn a_command_that_may_not_write_so_much_is_ended_for_it() {
    for lane in lanes() {
        let nap = nap();
        let mut wanted = open();
        (wanted.policy.limits.output, wanted.policy.limits.overflow) = (10_000, Overflow::End);
        let seen = run(&*lane, wanted.clone(), sh(format!("head -c 10000 /dev/zero; : {nap}"))).await.ok();
        assert_eq!((seen.stdout.len(), seen.marks), (10_000, 0), "{lane:?}");
        let seen = run(&*lane, wanted, sh(format!("echo first; head -c 20000 /dev/zero; sleep {nap}"))).await;
        assert_eq!((seen.exit.end.clone(), seen.marks), (End::OutputLimit, 1), "{lane:?}: {}", seen.text());
        assert!(seen.stdout.starts_with(b"first\n"));
        eventually("nothing is left", || alive(&nap).is_empty());
    }
}
