//! Which merges are made again.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::{Failure, git};

/// The parents of one merge.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

/// Merges whose first parents have the same attributes at their root, because git reads them once per process.
#[derive(Debug)]
pub(crate) struct Group {
    /// A commit that has them.
    pub(crate) attributes: String,
    pub(crate) pairs: Vec<Pair>,
}

/// So many merges are in a group at most, that threads share the work.
const LARGEST: usize = 400;

/// All merges of two commits that any ref reaches.
pub(crate) fn all(repo: &Path) -> Result<Vec<Pair>, Failure> {
    let args = ["rev-list", "--all", "--merges", "--max-parents=2", "--parents"];
    let pair = |line: String| {
        let mut ids = line.split(' ').skip(1).map(str::to_owned);
        Some(Pair { ours: ids.next()?, theirs: ids.next()? })
    };
    Ok(git::lines(repo, &args)?.into_iter().filter_map(pair).collect())
}

/// So many of them, from the first to the last at even distances.
pub(crate) fn spread(pairs: Vec<Pair>, sample: usize) -> Vec<Pair> {
    let step = pairs.len().div_ceil(sample.max(1)).max(1);
    pairs.into_iter().step_by(step).collect()
}

/// Puts those together that git reads the same attributes for.
pub(crate) fn grouped(repo: &Path, pairs: Vec<Pair>) -> Result<Vec<Group>, Failure> {
    let mut groups: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    for (attributes, pair) in attributes(repo, &pairs)?.into_iter().zip(pairs) {
        groups.entry(attributes).or_default().push(pair);
    }
    let parts = groups.into_values().flat_map(|pairs| pairs.chunks(LARGEST).map(<[Pair]>::to_vec).collect::<Vec<_>>());
    Ok(parts.map(|pairs| Group { attributes: pairs[0].ours.clone(), pairs }).collect())
}

/// What each first parent has as attributes at its root, as a name of it.
fn attributes(repo: &Path, pairs: &[Pair]) -> Result<Vec<String>, Failure> {
    let mut command = git::command(repo);
    command.args(["cat-file", "--batch-check=%(objectname)"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("git takes no input")?;
    let asked: String = pairs.iter().map(|pair| format!("{}:.gitattributes\n", pair.ours)).collect();
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "a panic")??;
    let text = String::from_utf8_lossy(&output.stdout);
    let name = |line: &str| if line.ends_with(" missing") { String::new() } else { line.to_owned() };
    let names: Vec<_> = text.lines().map(name).collect();
    if names.len() == pairs.len() { Ok(names) } else { Err("git left out some attributes".into()) }
}
