//! The whole path of tasks, on a real repository.

use std::time::Duration;

use hedgerow_orchestrator::merge::queue::Guarantee;
use hedgerow_orchestrator::merge::{BranchName, Checkout, CommitId, Doubt, LandingRange, Repository};
use hedgerow_orchestrator::{Error, GateSpec, Kept, Outcome, Verdict};

use crate::repo::{Repo, outcome, plan, rescues, task};

#[tokio::test(flavor = "multi_thread")]
async fn committed_and_uncommitted_work_lands_together() {
    let repo = Repo::new();
    let script = "echo a >a; git add a; git commit -qm 'Add a'; echo b >b; rm shared; echo secret >ignored";
    let plan = plan(GateSpec::command(["test", "-f", "a", "-a", "-f", "b"])).task(task("both", script));
    let report = repo.builder().open().await.unwrap().run(plan).await.unwrap();
    assert!(matches!(outcome(&report, "both"), Outcome::Landed { commits: 2, files: 3, .. }), "{report:#?}");
    assert!(repo.has("agents", "a") && repo.has("agents", "b"));
    assert!(!repo.has("agents", "shared") && !repo.has("agents", "ignored"));
    assert!(repo.git(&["log", "--format=%B", "agents"]).contains("Task: both"));
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_any_way_is_under_a_rescue_ref() {
    let repo = Repo::new();
    let mut hangs = task("hangs", "echo x >hangs; sleep 600");
    hangs.deadline = Duration::from_secs(1);
    let plan = plan(GateSpec::command(["test", "!", "-e", "red"]))
        .task(task("one", "echo 1 >shared; echo x >one; sleep 1"))
        .task(task("two", "echo 2 >shared; echo x >two; sleep 1"))
        .task(task("gate", "touch red; echo x >gate"))
        .task(task("crash", "echo x >crash; kill -SEGV $$"))
        .task(task("status", "echo x >status; exit 3"))
        .task(hangs)
        .task(task("nothing", "true"));
    let report = repo.builder().parallel(8).open().await.unwrap().run(plan).await.unwrap();
    let conflicts = ["one", "two"].map(|id| matches!(outcome(&report, id), Outcome::Conflict { .. }));
    assert_eq!(conflicts.iter().filter(|c| **c).count(), 1, "{report:#?}");
    assert!(matches!(outcome(&report, "gate"), Outcome::GateFailed { verdict: Verdict::Failed { .. } }));
    for id in ["crash", "status", "hangs"] {
        assert!(matches!(outcome(&report, id), Outcome::AgentFailed { .. }), "{id}: {report:#?}");
    }
    assert_eq!(outcome(&report, "nothing"), &Outcome::NoChange);
    for id in ["one", "two", "gate", "crash", "status", "hangs"] {
        let kept = rescues(&report, id).iter().any(|reference| repo.has(reference, id));
        assert!(kept || repo.has("agents", id), "the work of {id} is nowhere: {report:#?}");
    }
    assert!(!report.success());
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependent_starts_from_a_base_that_contains_what_it_needs() {
    let repo = Repo::new();
    let first = task("first", "echo 1 >first; sleep 1");
    let second = task("second", "cat first && echo 2 >second").needs(&first.id);
    let failing = task("failing", "exit 1");
    let skipped = task("skipped", "echo x >skipped").needs(&failing.id);
    let further = task("further", "echo x >further").needs(&skipped.id);
    let plan = plan(GateSpec::None).task(second).task(further).task(skipped).task(failing).task(first);
    let report = repo.builder().open().await.unwrap().run(plan).await.unwrap();
    assert!(matches!(outcome(&report, "second"), Outcome::Landed { .. }), "{report:#?}");
    assert!(matches!(outcome(&report, "skipped"), Outcome::Skipped { because } if because.as_str() == "failing"));
    assert!(matches!(outcome(&report, "further"), Outcome::Skipped { because } if because.as_str() == "skipped"));
    assert!(!repo.has_anywhere("skipped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_sees_exactly_the_commit_that_lands() {
    let repo = Repo::new();
    let seen = repo.path.join("../seen");
    let script = format!("git rev-parse HEAD >>{}; git status --porcelain --ignored; touch junk", seen.display());
    let mut wired = plan(GateSpec::command(["sh", "-ec", &script]));
    for n in 0..4 {
        wired = wired.task(task(&format!("t{n}"), &format!("echo x >f{n}; echo x >ignored")));
    }
    let report = repo.builder().open().await.unwrap().run(wired).await.unwrap();
    assert!(report.success(), "{report:#?}");
    let landed = repo.git(&["rev-list", "--first-parent", "--max-count=4", "--reverse", "agents"]);
    assert_eq!(std::fs::read_to_string(seen).unwrap().trim(), landed);
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_moves_the_target_is_overruled_by_the_gate_and_the_swap() {
    // In the host lane an agent can do anything, so its own push to the target must at least not be overwritten.
    let repo = Repo::new();
    let script =
        "echo mine >mine; git add mine; git commit -qm mine; git update-ref refs/heads/agents HEAD; echo x >more";
    let report =
        repo.builder().open().await.unwrap().run(plan(GateSpec::None).task(task("pushy", script))).await.unwrap();
    assert!(matches!(outcome(&report, "pushy"), Outcome::Landed { .. }), "{report:#?}");
    assert!(repo.has("agents", "mine") && repo.has("agents", "more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checked_out_target_is_refused_before_any_agent_works() {
    let repo = Repo::new();
    let mut wired = plan(GateSpec::None).task(task("t", "echo x >f"));
    wired.target = None;
    let error = repo.builder().open().await.unwrap().run(wired.clone()).await.unwrap_err();
    assert!(matches!(&error, Error::Preflight { problem } if problem.contains("checked out")), "{error}");
    assert_eq!(repo.git(&["for-each-ref", "refs/hedgerow"]), "");

    let mut fleet = repo.builder().checkout(Checkout::FastForwardClean).open().await.unwrap();
    let report = fleet.run(wired).await.unwrap();
    assert!(report.success(), "{report:#?}");
    assert_eq!(std::fs::read_to_string(repo.path.join("f")).unwrap(), "x\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dirty_checkout_of_the_target_stays_as_it_is() {
    let repo = Repo::new();
    std::fs::write(repo.path.join("shared"), "mine\n").unwrap();
    let mut wired = plan(GateSpec::None).task(task("t", "echo x >f"));
    wired.target = None;
    let mut fleet = repo.builder().checkout(Checkout::FastForwardClean).open().await.unwrap();
    let report = fleet.run(wired).await.unwrap();
    assert!(matches!(outcome(&report, "t"), Outcome::NotLanded { .. }), "{report:#?}");
    assert!(rescues(&report, "t").iter().any(|reference| repo.has(reference, "f")));
    assert_eq!(std::fs::read_to_string(repo.path.join("shared")).unwrap(), "mine\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), "M shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_reaches_the_agent_by_file_and_by_argument() {
    use hedgerow_orchestrator::agents::{CommandAgent, PromptBy};
    let repo = Repo::new();
    let file = CommandAgent { prompt: PromptBy::File, ..CommandAgent::new(["cp", "{prompt_file}", "by-file"]) };
    let argument =
        CommandAgent { prompt: PromptBy::Argument, ..CommandAgent::new(["sh", "-c", "echo \"$0\" >by-argument"]) };
    let mut wired = plan(GateSpec::None).agent("file", file).agent("argument", argument);
    for agent in ["file", "argument"] {
        let mut task = task(agent, "do 'this' $NOW");
        task.agent = agent.into();
        wired = wired.task(task);
    }
    let report = repo.builder().open().await.unwrap().run(wired).await.unwrap();
    assert!(report.success(), "{report:#?}");
    for place in ["agents:by-file", "agents:by-argument"] {
        assert_eq!(repo.git(&["cat-file", "blob", place]), "do 'this' $NOW");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_change_does_not_land_when_the_rest_could_not_be_captured() {
    let repo = Repo::new();
    let script =
        "echo x >plain; git init -q inner; echo y >inner/file; git -C inner add .; git -C inner commit -qm own";
    let report =
        repo.builder().open().await.unwrap().run(plan(GateSpec::None).task(task("nested", script))).await.unwrap();
    assert!(matches!(outcome(&report, "nested"), Outcome::Incomplete { why } if why.contains("inner")), "{report:#?}");
    assert!(!report.success());
    assert!(!repo.has("agents", "plain"));
    assert!(repo.has_anywhere("plain"), "what could be captured is nowhere");
    let kept = &report.tasks[0].kept;
    let tree = kept.iter().find_map(|kept| match kept {
        Kept::Tree { path, .. } => Some(path),
        Kept::Rescue(_) => None,
    });
    assert!(tree.is_some_and(|tree| tree.join("inner/.git").exists()), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_landing_can_be_proven_afterwards_and_what_came_by_hand_is_named() {
    let repo = Repo::new();
    let before = repo.git(&["rev-parse", "agents"]);
    let mut wired = plan(GateSpec::command(["true"]));
    for n in 0..3 {
        wired = wired.task(task(&format!("t{n}"), &format!("echo x >f{n}")));
    }
    let report = repo.builder().open().await.unwrap().run(wired).await.unwrap();
    assert!(report.success(), "{report:#?}");
    let range = |repo: &Repo| LandingRange {
        branch: BranchName::new("agents").unwrap(),
        from: CommitId::new(before.as_str()).unwrap(),
        to: CommitId::new(repo.git(&["rev-parse", "agents"])).unwrap(),
    };
    let merging = Repository::open(&repo.path).unwrap();
    let found = merging.verify(&range(&repo)).unwrap();
    assert!(found.holds(), "{:?}", found.findings);
    assert_eq!(found.proven.len(), 3);
    for landing in &found.proven {
        assert_eq!(landing.guarantee, Some(Guarantee::EveryCommit));
        assert_eq!((landing.passes.len(), landing.passes[0].key.environment.as_str()), (1, "host"));
    }
    let by_hand = repo.git(&["commit-tree", "-m", "by hand", "-p", "agents", "agents^{tree}"]);
    repo.git(&["update-ref", "refs/heads/agents", &by_hand]);
    let found = merging.verify(&range(&repo)).unwrap();
    assert_eq!((found.proven.len(), found.findings.len()), (3, 1));
    assert_eq!((found.findings[0].commit.as_str(), &found.findings[0].doubt), (by_hand.as_str(), &Doubt::Uncertified));
}
