//! Every example runs and prints what its comments say.

use std::process::Command;

fn printed(binary: &str) -> String {
    let output = Command::new(binary).output().expect("the example starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn worktrees_alone() {
    let wanted = "\
recovered: 0 worktrees of dead processes
created parser at shop.worktrees/parser
created docs at shop.worktrees/docs
created idle at shop.worktrees/idle
captured 2 files of parser as one commit on its branch
removed parser, 1 rescue refs
removed docs, 1 rescue refs
removed idle, 0 rescue refs
the work of docs is in refs/hedgerow/rescue/docs/1
restored: How to use it.
";
    assert_eq!(printed(env!("CARGO_BIN_EXE_worktree_only")), wanted);
}

#[test]
fn a_manager_of_ones_own() {
    let wanted = "\
created first, 1 held
created second, 2 held
released first: Removed
gave up first, 1 held
gave up second, 0 held
adopted second, 1 held
released second: Removed
gave up second, 0 held
";
    assert_eq!(printed(env!("CARGO_BIN_EXE_custom_worktrees")), wanted);
}

/// What a machine can enforce differs, so only what is the same everywhere is compared.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn sandboxes_alone() {
    let said = printed(env!("CARGO_BIN_EXE_sandbox_only"));
    if said.contains("lane is not available") {
        let demanded = std::env::var("HEDGEROW_REQUIRE").unwrap_or_default();
        assert!(!demanded.split(',').any(|lane| lane.trim() == "native"), "HEDGEROW_REQUIRE names native, but {said}");
        eprintln!("SKIPPED: {said}");
        return;
    }
    for wanted in [
        "kill-complete      in part     enforced",
        "no-network         no          enforced",
        "inside: agent",
        "it ended so: Exited { code: 0 }, which Parent saw",
        "and left \"made inside\"",
        " 0 contradicted",
        "the host lane refuses: it cannot enforce kill-complete",
    ] {
        assert!(said.contains(wanted), "{wanted:?} is not in: {said}");
    }
}

#[test]
fn a_lane_of_ones_own() {
    let wanted = "\
the prefixed lane is so nice: 10
it ended so: Exited { code: 0 }
";
    assert_eq!(printed(env!("CARGO_BIN_EXE_custom_sandbox")), wanted);
}
