//! A red gate goes back to the agent.

use hedgerow_orchestrator::agents::{CommandAgent, PromptBy};
use hedgerow_orchestrator::{EventKind, Fleet, GateSpec, Outcome, Plan, Report, Stage, Task, Verdict};

use crate::repo::{Repo, outcome, plan, rescues, task};

/// An agent that runs a script with the file of its prompt as `$1`, and the task for it.
fn asked(script: &str, turns: u32) -> Plan {
    let command = ["sh", "-ec", script, "sh", "{prompt_file}"];
    let agent = CommandAgent { prompt: PromptBy::File, ..CommandAgent::new(command) };
    let mut asked: Task = task("fix", "Fix the parser").turns(turns);
    asked.agent = "asked".into();
    plan(GateSpec::command(["sh", "-c", "! test -e red || { echo red is there; exit 1; }"]))
        .agent("asked", agent)
        .task(asked)
}

async fn run(repo: &Repo, plan: Plan) -> (Report, Vec<EventKind>) {
    let report = repo.builder().open().await.unwrap().run(plan).await.unwrap();
    let events = Fleet::events(&repo.path, &report.run).unwrap();
    (report, events.into_iter().map(|event| event.kind).collect())
}

/// The prompts of all further turns.
fn prompts(events: &[EventKind]) -> Vec<(u32, String)> {
    let again = |kind: &EventKind| match kind {
        EventKind::Attempt { stage: Stage::Again { turn, prompt }, .. } => Some((*turn, prompt.clone())),
        _ => None,
    };
    events.iter().filter_map(again).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_mends_what_its_gate_said_in_the_same_tree_and_home() {
    let repo = Repo::new();
    let script = "if test $HEDGEROW_TURN = 1; then echo kept >~/note; touch red ignored; echo x >work; git add work
            git commit -qm work; exit 0; fi
        grep -q 'red is there' \"$1\"; grep -q 'Fix the parser' \"$1\"; test -e ignored
        test -z \"$(git status --porcelain)\"; cp ~/note note; rm red; git add -A; git commit -qm 'Mend it'";
    let (report, events) = run(&repo, asked(script, 3)).await;
    assert!(matches!(outcome(&report, "fix"), Outcome::Landed { .. }), "{report:#?}");
    assert_eq!(repo.git(&["cat-file", "blob", "agents:note"]), "kept");
    assert!(repo.has("agents", "work") && !repo.has("agents", "red"));
    assert_eq!(report.tasks[0].attempts, 1);
    let prompts = prompts(&events);
    assert_eq!(prompts.len(), 1, "{prompts:?}");
    assert!(prompts[0].0 == 2 && prompts[0].1.contains("red is there"), "{prompts:?}");
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_never_mends_it_is_asked_as_often_as_it_may_and_its_work_is_kept() {
    let repo = Repo::new();
    let (report, events) = run(&repo, asked("touch red; echo $HEDGEROW_TURN >>work", 3)).await;
    assert!(matches!(outcome(&report, "fix"), Outcome::GateFailed { .. }), "{report:#?}");
    assert_eq!(prompts(&events).iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), [2, 3]);
    let kept = rescues(&report, "fix");
    assert!(kept.iter().any(|kept| repo.git(&["cat-file", "blob", &format!("{kept}:work")]) == "1\n2\n3"), "{kept:?}");
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_changes_nothing_more_is_not_asked_for_ever() {
    let repo = Repo::new();
    let (report, events) = run(&repo, asked("test $HEDGEROW_TURN = 1 || exit 0; touch red", 20)).await;
    match outcome(&report, "fix") {
        Outcome::GateFailed { verdict: Verdict::Failed { why } } => assert!(why.contains("changed nothing"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(prompts(&events).len(), 1);
    let gated = events.iter().filter(|kind| matches!(kind, EventKind::Attempt { stage: Stage::Gating { .. }, .. }));
    assert_eq!(gated.count(), 1, "the same tree was gated twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_further_turns_a_red_gate_is_the_end() {
    let repo = Repo::new();
    let (report, events) = run(&repo, asked("touch red", 1)).await;
    assert!(matches!(outcome(&report, "fix"), Outcome::GateFailed { .. }));
    assert!(prompts(&events).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_fails_in_a_further_turn_has_failed() {
    let repo = Repo::new();
    let (report, _) = run(&repo, asked("test $HEDGEROW_TURN = 1 || exit 7; touch red", 3)).await;
    assert!(matches!(outcome(&report, "fix"), Outcome::AgentFailed { .. }), "{report:#?}");
    assert!(rescues(&report, "fix").iter().any(|kept| repo.has(kept, "red")));
    repo.assert_nothing_left_over();
}
