//! `hedgerow-merge` alone: a change becomes a candidate, a gate looks at it, and it lands with a certificate that anybody can
//! prove again.
//!
//! It makes a repository of its own in a temporary directory and prints what it does.

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::Command;

use hedgerow_merge::queue::{Digest, GateKey, Guarantee};
use hedgerow_merge::{
    BranchName, Candidate, Change, Checkout, GatePass, Identity, LandingRange, MergeCommit, MergeStrategy, Prepared,
    Repository, Target,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What every candidate has to pass.
const GATE: &str = "grep -q hello greeting && ! grep -rq TODO .";

fn main() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("shop");
    make_repository(&path)?;
    let mut out = stdout().lock();
    let repository = Repository::open(&path)?;
    let trunk = BranchName::new("trunk")?;
    let from = repository.tip(&trunk)?;

    for name in ["docs", "greeting", "sloppy", "rival"] {
        let change = Change {
            tip: repository.tip(&BranchName::new(format!("task/{name}"))?)?,
            subject: format!("Land {name}"),
            trailers: vec![("Task".into(), name.into())],
            committer: Identity { name: "Queue".into(), email: "queue@example.com".into() },
        };
        // The target may only move from the commit that it names now.
        let target = Target { branch: trunk.clone(), expected: repository.tip(&trunk)? };
        let candidate = match MergeCommit.prepare(&repository, &target, &change)? {
            Prepared::Candidate(candidate) => candidate,
            Prepared::Conflict(conflict) => {
                let paths: Vec<_> =
                    conflict.paths.iter().map(|path| format!("{} ({})", path.path, path.kind)).collect();
                writeln!(out, "{name} conflicts: {}", paths.join(", "))?;
                continue;
            }
            other => return Err(format!("{name}: {other:?}").into()),
        };

        // No branch names the candidate yet, so a gate can look at exactly what would land.
        if !passes(&path, &dir.path().join("gate"), &candidate)? {
            writeln!(out, "{name} did not pass, and the target is where it was")?;
            continue;
        }

        // What was proven is recorded first, so that nothing is ever landed without.
        let certificate = repository.certify(&candidate)?;
        let key = GateKey { gate: Digest::new(GATE), environment: Digest::new("this machine") };
        let pass = GatePass { gate: "words".into(), key, tree: certificate.tree.clone() };
        repository.record(&certificate.with_pass(pass).under(Guarantee::EveryCommit))?;
        writeln!(out, "{name}: {:?}", repository.land(&candidate, Checkout::Refuse)?)?;
    }

    // Later, or in a clone that has the notes.
    let verification = repository.verify(&LandingRange { branch: trunk.clone(), from, to: repository.tip(&trunk)? })?;
    for certificate in verification.proven.iter().rev() {
        let gates: Vec<_> = certificate.passes.iter().map(|pass| pass.gate.as_str()).collect();
        writeln!(out, "proven again: a landing on {} that passed {}", certificate.target, gates.join(", "))?;
    }
    writeln!(out, "doubts: {}", verification.findings.len())?;
    Ok(())
}

/// Runs the gate on a checkout of the candidate. What an agent wrote runs here, so a real gate belongs into a sandbox.
fn passes(repository: &Path, place: &Path, candidate: &Candidate) -> Outcome<bool> {
    let place = place.to_str().ok_or("a temporary directory is no text")?;
    git(repository, &["worktree", "add", "-q", "--detach", place, candidate.commit.as_str()])?;
    let passed = Command::new("sh").args(["-c", GATE]).current_dir(place).status()?.success();
    git(repository, &["worktree", "remove", "--force", place])?;
    Ok(passed)
}

/// A repository whose branch `trunk` is checked out nowhere, and four branches that want to land on it.
fn make_repository(path: &Path) -> Outcome {
    std::fs::create_dir(path)?;
    git(path, &["init", "-q", "-b", "main"])?;
    let commit = |name: &str, file: &str, text: &str| -> Outcome {
        std::fs::write(path.join(file), text)?;
        git(path, &["add", "-A"])?;
        git(path, &["commit", "-q", "-m", name])
    };
    commit("Begin", "greeting", "hello\n\nworld\n")?;
    git(path, &["branch", "trunk"])?;
    for (name, file, text) in [
        ("docs", "GUIDE", "How to use it.\n"),
        ("greeting", "greeting", "hello\n\nwhole world\n"),
        ("sloppy", "parser.rs", "// TODO\n"),
        ("rival", "greeting", "hello\n\nnobody\n"),
    ] {
        git(path, &["checkout", "-q", "-b", &format!("task/{name}"), "main"])?;
        commit(name, file, text)?;
    }
    git(path, &["checkout", "-q", "main"])
}

fn git(directory: &Path, arguments: &[&str]) -> Outcome {
    let who = ["-c", "user.name=A user", "-c", "user.email=user@example.com"];
    let status = Command::new("git").args(who).args(arguments).current_dir(directory).status()?;
    if status.success() { Ok(()) } else { Err(format!("git {arguments:?} ended with {status}").into()) }
}
