//! The rules for strategies: those of this crate keep them, and whoever breaks one is found out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hedgerow_merge::conformance::{Rule, Verdict, check, rules};
use hedgerow_merge::queue::ChangeId;
use hedgerow_merge::{
    ArchivedChange, Candidate, Change, CherryPick, CommitId, ConflictKind, Diverged, Empties, Error, FastForward, Made,
    MergeCommit, MergeStrategy, Merges, Octopus, Ours, Prepared, Promote, Rebase, Repository, Result, Squash, Target,
};

#[test]
fn strategies_of_this_crate_keep_every_rule() {
    check(|| MergeCommit).assert();
    check(|| Squash).assert();
    check(Rebase::default).assert();
    check(|| Rebase { empties: Empties::Keep, merges: Merges::Flatten }).assert();
    check(Octopus::default).assert();
    check(|| Ours).assert();
    check(|| Promote).assert();
    check(FastForward::default).assert();
    let all = check(|| FastForward { diverged: Diverged::Merge });
    all.assert();
    assert_eq!((all.kept.len(), all.not_checked.len()), (rules().len(), 0), "{all}");
}

/// It takes the last commit of the change alone, which is what it is for, and says which it left out.
#[test]
fn a_pick_keeps_every_rule() {
    check(CherryPick::default).assert();
}

/// What a broken strategy does with what a good one made.
type Spoil = fn(&Spoiled, &Repository, (&Target, &Change), Result<Prepared>) -> Result<Prepared>;

#[derive(Clone)]
struct Spoiled {
    good: Arc<dyn MergeStrategy>,
    spoil: Spoil,
    calls: Arc<AtomicU32>,
    alone: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Spoiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spoiled")
    }
}

impl Spoiled {
    fn new(good: impl MergeStrategy, spoil: Spoil) -> Self {
        Self { good: Arc::new(good), spoil, calls: Arc::default(), alone: Arc::default() }
    }

    fn again(&self, repository: &Repository, target: &Target, change: &Change, subject: String) -> Result<Prepared> {
        self.good.prepare(repository, target, &Change { subject, ..change.clone() })
    }
}

impl MergeStrategy for Spoiled {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        let prepared = self.good.prepare(repository, target, change);
        (self.spoil)(self, repository, (target, change), prepared)
    }
}

/// Changes what a candidate says.
fn lie(prepared: Result<Prepared>, lie: impl FnOnce(Candidate) -> Candidate) -> Result<Prepared> {
    Ok(match prepared? {
        Prepared::Candidate(made) => Prepared::Candidate(lie(made)),
        other => other,
    })
}

fn failure() -> Error {
    Error::Unsigned { source: "it is broken".into() }
}

/// Each with the rule that finds it out.
fn broken() -> Vec<(&'static str, Spoiled)> {
    vec![
        (
            "the-same-input-makes-the-same",
            Spoiled::new(MergeCommit, |spoiled, repository, (target, change), _| {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
                spoiled.again(repository, target, change, format!("{} at {now}", change.subject))
            }),
        ),
        (
            "the-same-input-makes-the-same",
            Spoiled::new(MergeCommit, |spoiled, repository, (target, change), _| {
                let call = spoiled.calls.fetch_add(1, Ordering::Relaxed);
                spoiled.again(repository, target, change, format!("{} number {call}", change.subject))
            }),
        ),
        (
            "many-at-once-do-not-disturb-each-other",
            Spoiled::new(MergeCommit, |spoiled, _, _, prepared| {
                let Ok(_alone) = spoiled.alone.try_lock() else { return Err(failure()) };
                std::thread::sleep(Duration::from_millis(20));
                prepared
            }),
        ),
        (
            "only-objects-are-written",
            Spoiled::new(MergeCommit, |_, repository, (target, change), prepared| {
                let tip = target.expected.clone();
                let kept = ArchivedChange { change: ChangeId::new("x"), attempt: 1, tip, why: "why not".into() };
                let _ = repository.archive(&kept, &change.committer)?;
                prepared
            }),
        ),
        (
            "nothing-is-lost",
            Spoiled::new(Ours, |_, _, _, prepared| lie(prepared, |made| Candidate { dropped: Vec::new(), ..made })),
        ),
        (
            "nothing-is-lost",
            Spoiled::new(Promote, |_, _, _, prepared| lie(prepared, |made| Candidate { dropped: Vec::new(), ..made })),
        ),
        (
            "an-empty-change-changes-nothing",
            Spoiled::new(Promote, |_, _, _, prepared| lie(prepared, |made| Candidate { dropped: Vec::new(), ..made })),
        ),
        (
            "it-is-made-as-said",
            Spoiled::new(Squash, |_, _, _, prepared| {
                lie(prepared, |made| Candidate { made: Made::Undeclared, ..made })
            }),
        ),
        (
            "it-is-made-as-said",
            Spoiled::new(MergeCommit, |_, _, _, prepared| {
                lie(prepared, |made| Candidate { made: Made::Squash, ..made })
            }),
        ),
        (
            "a-candidate-is-of-what-was-asked",
            Spoiled::new(MergeCommit, |_, _, _, prepared| {
                lie(prepared, |made| Candidate { commit: made.change.clone(), made: Made::Forward, ..made })
            }),
        ),
        (
            "a-candidate-is-of-what-was-asked",
            Spoiled::new(MergeCommit, |_, _, _, prepared| {
                lie(prepared, |made| Candidate { change: made.target.expected.clone(), ..made })
            }),
        ),
        (
            "objects-are-there",
            Spoiled::new(MergeCommit, |_, _, _, prepared| {
                let nowhere = CommitId::new("0123456789012345678901234567890123456789").unwrap();
                lie(prepared, |made| Candidate { commit: nowhere, ..made })
            }),
        ),
        (
            "a-candidate-lands",
            Spoiled::new(MergeCommit, |_, _, _, prepared| {
                lie(prepared, |made| {
                    let branch = hedgerow_merge::BranchName::new("other").unwrap();
                    Candidate { target: Target { branch, ..made.target.clone() }, ..made }
                })
            }),
        ),
        (
            "a-conflict-is-a-value",
            Spoiled::new(MergeCommit, |_, _, _, prepared| match prepared? {
                Prepared::Conflict(_) => Err(failure()),
                other => Ok(other),
            }),
        ),
        (
            "a-conflict-is-a-value",
            Spoiled::new(MergeCommit, |_, repository, (target, change), prepared| match prepared? {
                // The latest wins, and nobody hears of it.
                Prepared::Conflict(_) => {
                    lie(Promote.prepare(repository, target, change), |made| Candidate { dropped: Vec::new(), ..made })
                }
                other => Ok(other),
            }),
        ),
        (
            "unrelated-histories-are-a-value",
            Spoiled::new(MergeCommit, |_, _, _, prepared| match prepared? {
                Prepared::Conflict(conflict) if conflict.paths.first().kind == ConflictKind::Unrelated => {
                    Err(failure())
                }
                other => Ok(other),
            }),
        ),
        (
            "nothing-to-do-is-said",
            Spoiled::new(MergeCommit, |_, _, (target, change), prepared| match prepared? {
                Prepared::AlreadyMerged => Ok(Prepared::Candidate(Candidate {
                    commit: target.expected.clone(),
                    target: target.clone(),
                    change: change.tip.clone(),
                    reflog: "merge".into(),
                    made: Made::Undeclared,
                    engine: Default::default(),
                    dropped: Vec::new(),
                })),
                other => Ok(other),
            }),
        ),
        ("bad-input-is-an-error", Spoiled::new(MergeCommit, |_, _, _, prepared| prepared.or(Ok(Prepared::Empty)))),
        ("bad-input-is-an-error", Spoiled::new(MergeCommit, |_, _, _, prepared| Ok(prepared.unwrap()))),
    ]
}

#[test]
fn whoever_breaks_a_rule_is_found_out() {
    for (number, (name, spoiled)) in broken().into_iter().enumerate() {
        let rule: Rule = rules().into_iter().find(|rule| rule.name == name).unwrap();
        let verdict = rule.check(spoiled);
        assert!(matches!(verdict, Verdict::Broken(_)), "{number} {name}: {verdict:?}");
    }
}

#[test]
fn every_rule_is_broken_by_somebody() {
    let found: std::collections::BTreeSet<_> = broken().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, rules().into_iter().map(|rule| rule.name).collect());
}

#[test]
fn a_strategy_that_never_makes_a_candidate_is_not_taken_for_a_good_one() {
    let report = check(|| {
        Spoiled::new(MergeCommit, |_, _, _, prepared| match prepared? {
            Prepared::Candidate(_) => Ok(Prepared::Refused(hedgerow_merge::Refusal::Diverged)),
            other => Ok(other),
        })
    });
    report.assert();
    assert!(report.not_checked.len() >= 5, "{report}");
}
