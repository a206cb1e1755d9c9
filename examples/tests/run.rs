//! Every example runs and prints what its comments say.

use std::process::{Command, Output};

fn printed(binary: &str) -> String {
    let output = Command::new(binary).output().expect("the example starts");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a test says that proves nothing here; a failure where it is demanded.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(why: &str) {
    let demanded = std::env::var("HEDGEROW_REQUIRE").unwrap_or_default();
    assert!(!demanded.split(',').any(|lane| lane.trim() == "native"), "HEDGEROW_REQUIRE names native, but {why}");
    eprintln!("SKIPPED: {why}");
}

/// Whether the example said that the machine cannot keep the policy; it must then have failed, and done nothing.
fn refused(Output { status, stdout, stderr }: &Output) -> bool {
    let (said, errors) = (text(stdout), text(stderr));
    let names_what_is_missing =
        said.contains("lane is not available") || said.contains("cannot keep the standard policy here:\n- ");
    assert_eq!(status.success(), !names_what_is_missing, "{said}{errors}");
    assert!(!(names_what_is_missing && said.contains("inside:")), "it ran all the same: {said}");
    names_what_is_missing
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
fn sandboxes_alone() {
    let output = Command::new(env!("CARGO_BIN_EXE_sandbox_only")).output().expect("the example starts");
    let said = text(&output.stdout);
    if refused(&output) {
        return skipped(&said);
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

/// Where no namespace can be made any more, and whoever asks is no root.
#[test]
fn a_sandbox_that_cannot_keep_the_policy_is_refused_with_what_is_missing_and_the_program_fails() {
    let script = "echo 0 > /proc/sys/user/max_user_namespaces || exit 77; \
                  exec setpriv --inh-caps=-all --ambient-caps=-all \"$1\"";
    let output = Command::new("unshare")
        .args(["-U", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c", script, "sh"])
        .arg(env!("CARGO_BIN_EXE_sandbox_only"))
        .output()
        .expect("unshare starts");
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(77) || errors.starts_with("unshare: ") {
        return skipped(&format!("no user namespace can be made without further ones: {errors}"));
    }
    assert!(refused(&output), "{said}{errors}");
    assert!(said.contains("namespaces"), "what is missing is named: {said}");
    assert!(said.contains("max_user_namespaces"), "and its cure: {said}");
}

#[test]
fn a_lane_of_ones_own() {
    let wanted = "\
the prefixed lane is so nice: 10
it ended so: Exited { code: 0 }
";
    assert_eq!(printed(env!("CARGO_BIN_EXE_custom_sandbox")), wanted);
}

#[test]
fn merging_alone() {
    let wanted = "\
docs: Landed
greeting: Landed
sloppy did not pass, and the target is where it was
rival conflicts: greeting (content)
proven again: a landing on trunk that passed words
proven again: a landing on trunk that passed words
doubts: 0
";
    assert_eq!(printed(env!("CARGO_BIN_EXE_merge_only")), wanted);
}

#[test]
fn a_strategy_of_ones_own() {
    let wanted = "\
first landed commit by commit
second landed with a merge commit
third conflicts: list
";
    assert_eq!(printed(env!("CARGO_BIN_EXE_custom_strategy")), wanted);
}

#[test]
fn a_demonstration_outside_of_a_repository_says_what_to_do_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (outside, empty, place) = (dir.path().join("outside"), dir.path().join("empty"), dir.path().join("tmp"));
    for dir in [&outside, &empty, &place] {
        std::fs::create_dir(dir).unwrap();
    }
    assert!(Command::new("git").arg("init").arg("-q").arg(&empty).status().unwrap().success());
    for (source, why) in [(&outside, "not the top of a git repository"), (&empty, "no commit")] {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_fleet"));
        let Output { status, stderr, .. } =
            demo.arg("demo").current_dir(source).env("TMPDIR", &place).output().unwrap();
        let said = text(&stderr);
        assert!(said.contains(why) && said.contains("--source"), "{said}");
        assert_eq!(status.code(), Some(2), "{said}");
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "{said}");
    }
}

/// What `fleet` says in a directory, and its exit status.
fn fleet(directory: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fleet")).args(arguments).current_dir(directory).output();
    let output = output.expect("fleet starts");
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn what_landed_is_proven_again_and_what_did_not_come_through_a_gate_is_named() {
    let place = tempfile::tempdir().expect("a directory");
    let script = "git init -q -b main && git config user.name a && git config user.email a@example.com
        echo one >a && git add a && git commit -qm one && git branch before && git checkout -q --detach";
    let repo = place.path().join("repo");
    std::fs::create_dir(&repo).expect("a directory");
    let plan = "target = 'main'
        [gate]
        command = ['test', '-f', 'b']
        [agents.sh]
        command = ['sh', '-s']
        [[task]]
        id = 'b'
        agent = 'sh'
        prompt = 'echo two >b'";
    std::fs::write(place.path().join("plan.toml"), plan).expect("a plan");
    let made = Command::new("sh").args(["-ec", script]).current_dir(&repo).output().expect("sh starts");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (code, said) = fleet(&repo, &["run", "--lane", "host", "../plan.toml"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = fleet(&repo, &["verify", "before", "--target", "main"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("proven: passed plan") && said.contains("1 landing(s) proven, 0 finding(s)"), "{said}");
    let by_hand = "git update-ref refs/heads/main $(git commit-tree -m hand -p main main^{tree})";
    assert!(Command::new("sh").args(["-ec", by_hand]).current_dir(&repo).status().expect("sh starts").success());
    let (code, said) = fleet(&repo, &["verify", "before", "--target", "main"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("has no certificate") && said.contains("1 landing(s) proven, 1 finding(s)"), "{said}");
    let (code, said) = fleet(&repo, &["verify", "nowhere", "--target", "main"]);
    assert!(code == Some(2) && said.contains("nowhere"), "{said}");
}
