//! Real topics of a history, all brought onto one commit, as if they had been begun there.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use hedgerow_merge::CommitId;

use crate::{Failure, git};

/// One branch.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) tip: CommitId,
}

/// How many merges are looked at for each topic that is wanted: some do not apply to another commit.
const SPARE: usize = 4;

pub(crate) fn name(number: usize) -> String {
    format!("topic-{number:05}")
}

pub(crate) fn number(name: &str) -> usize {
    name.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

/// The commit, and on it what so many merges brought in that followed it.
pub(crate) fn transplanted(repo: &Path, wanted: usize) -> Result<(String, Vec<Topic>), Failure> {
    let most = format!("--max-count={}", wanted * SPARE);
    let args = ["rev-list", "--first-parent", "--merges", "--max-parents=2", "--parents", &most, "HEAD"];
    let mut merges = git::lines(repo, &args)?;
    merges.reverse();
    let first = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    let target = merges.first().and_then(|line| first(line)).ok_or("this history has no merges")?;
    let mut asked = String::new();
    for line in &merges {
        let mut ids = line.split(' ');
        let (Some(merge), Some(before)) = (ids.next(), ids.next()) else { continue };
        asked.push_str(&format!("{before} -- {target} {merge}\n"));
    }
    let mut topics = Vec::new();
    let tree = git::git(repo, &["rev-parse", &format!("{target}^{{tree}}")])?;
    for clean in trees(repo, asked)?.into_iter().flatten().filter(|found| *found != tree) {
        if topics.len() == wanted {
            break;
        }
        let name = name(topics.len());
        let tip = git::git(repo, &["commit-tree", "-p", &target, "-m", &name, &clean])?;
        topics.push(Topic { tip: CommitId::new(tip)?, name });
    }
    if topics.len() < wanted {
        return Err(format!("only {} topics of this history apply to one commit; ask for fewer", topics.len()).into());
    }
    Ok((target, topics))
}

/// The tree of each merge that git is asked for, where it is clean.
pub(crate) fn trees(repo: &Path, asked: String) -> Result<Vec<Option<String>>, Failure> {
    let mut command = git::command(repo);
    command.args(["merge-tree", "--write-tree", "-z", "--no-messages", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let count = asked.lines().count();
    let mut input = child.stdin.take().ok_or("git takes no input")?;
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "a panic")??;
    let mut words = output.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut found = Vec::new();
    while let Some(clean) = words.next().filter(|word| matches!(word.as_ref(), "0" | "1")) {
        let tree = words.next().unwrap_or_default().into_owned();
        found.push((clean == "1").then_some(tree));
        // The entries that conflict, then an empty word.
        let _last = words.find(|word| word.is_empty());
    }
    if found.len() == count {
        Ok(found)
    } else {
        Err(format!("git answered {} of {count} questions", found.len()).into())
    }
}
