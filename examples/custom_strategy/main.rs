//! A strategy of one's own: a line of commits where that goes by itself, a merge commit where it does not.
//!
//! It lands three changes and prints how. That it keeps every rule of the trait is shown by the test at the end.

mod line;

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::Command;

use hedgerow_merge::{
    BranchName, Change, Checkout, Identity, Landing, Made, MergeStrategy, Prepared, Repository, Target,
};
use line::LineWhereItGoes;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let dir = tempfile::tempdir()?;
    make_repository(dir.path())?;
    let repository = Repository::open(dir.path())?;
    let trunk = BranchName::new("trunk")?;
    let mut out = stdout().lock();
    for name in ["first", "second", "third"] {
        let change = Change {
            tip: repository.tip(&BranchName::new(name)?)?,
            subject: format!("Land {name}"),
            trailers: Vec::new(),
            committer: Identity { name: "Queue".into(), email: "queue@example.com".into() },
        };
        let target = Target { branch: trunk.clone(), expected: repository.tip(&trunk)? };
        match LineWhereItGoes.prepare(&repository, &target, &change)? {
            Prepared::Candidate(candidate) => {
                let how = match &candidate.made {
                    Made::Replay { .. } => "commit by commit",
                    _ => "with a merge commit",
                };
                let landing = repository.land(&candidate, Checkout::Refuse)?;
                writeln!(out, "{name} {}landed {how}", if landing == Landing::Landed { "" } else { "is not " })?;
            }
            Prepared::Conflict(conflict) => writeln!(out, "{name} conflicts: {}", conflict.paths.first().path)?,
            other => writeln!(out, "{name}: {other:?}")?,
        }
    }
    Ok(())
}

/// A repository whose branch `trunk` is checked out nowhere, and three branches. The commits of the second one do not apply to
/// what the first one brings, but all of it merges.
fn make_repository(path: &Path) -> Outcome {
    let git = |arguments: &[&str]| -> Outcome {
        let who = ["-c", "user.name=A user", "-c", "user.email=user@example.com"];
        let status = Command::new("git").args(who).args(arguments).current_dir(path).status()?;
        if status.success() { Ok(()) } else { Err(format!("git {arguments:?} ended with {status}").into()) }
    };
    let commit = |text: &str| -> Outcome {
        std::fs::write(path.join("list"), text)?;
        git(&["add", "-A"])?;
        git(&["commit", "-q", "-m", "Edit the list"])
    };
    git(&["init", "-q", "-b", "main"])?;
    commit("one\ntwo\nthree\n")?;
    git(&["branch", "trunk"])?;
    let branches: [(&str, &[&str]); 3] = [
        ("first", &["ONE\ntwo\nthree\n"]),
        ("second", &["1\ntwo\nthree\n", "one\ntwo\nTHREE\n"]),
        ("third", &["eins\ntwo\nthree\n"]),
    ];
    for (name, texts) in branches {
        git(&["checkout", "-q", "-b", name, "main"])?;
        texts.iter().try_for_each(|text| commit(text))?;
    }
    git(&["checkout", "-q", "main"])
}

#[cfg(test)]
mod tests {
    use hedgerow_merge::conformance;

    use super::*;

    #[test]
    fn a_strategy_of_ones_own_keeps_every_rule() {
        let report = conformance::check(LineWhereItGoes::default);
        report.assert();
        assert_eq!(report.kept.len(), conformance::rules().len(), "{report}");
    }
}
