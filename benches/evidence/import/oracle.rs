//! What git says about the same objects, many cases at a time.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::history::Made;
use super::{container, place};
use crate::{Failure, git};

/// A repository with the objects of many cases, each of them reachable by a ref.
#[derive(Debug)]
pub(super) struct Oracle {
    path: PathBuf,
    cases: HashMap<String, Vec<usize>>,
    tips: String,
}

impl Oracle {
    /// Beside the repository `real`, whose objects it knows.
    pub(super) fn new(dir: &Path, name: &str, real: &Path) -> Result<Self, Failure> {
        let path = dir.join(name);
        std::fs::create_dir(&path)?;
        git::git(&path, &["init", "-q", "--bare"])?;
        place::write(
            &path,
            "objects/info/alternates",
            format!("{}\n", real.join(".git/objects").display()).as_bytes(),
        )?;
        Ok(Self { path, cases: HashMap::new(), tips: "# pack-refs with: peeled fully-peeled \n".into() })
    }

    pub(super) fn add(&mut self, case: usize, made: &[Made]) -> Result<(), Failure> {
        for made in made {
            place::write(&self.path, &place::name(made), &container::loose(made))?;
            self.cases.entry(made.id.to_string()).or_default().push(case);
        }
        if let Some(tip) = made.last() {
            self.tips.push_str(&format!("{} refs/cases/{case}\n", tip.id));
        }
        Ok(())
    }

    /// What git has against each case.
    pub(super) fn judge(&self) -> Result<BTreeMap<usize, String>, Failure> {
        place::write(&self.path, "packed-refs", self.tips.as_bytes())?;
        let (_, lines) = fsck(&self.path)?;
        Ok(self.blame(&lines))
    }

    /// The cases whose objects these complaints name.
    pub(super) fn blame(&self, lines: &[String]) -> BTreeMap<usize, String> {
        let mut found = BTreeMap::new();
        for line in lines {
            let words = line.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 40);
            let of_objects = words.filter_map(|word| self.cases.get(word)).flatten().copied();
            let of_refs = line
                .split("refs/cases/")
                .skip(1)
                .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
            for case in of_objects.chain(of_refs) {
                found.entry(case).or_insert_with(|| line.clone());
            }
        }
        found
    }
}

/// Whether git is content, and all that it complained about.
pub(super) fn fsck(repo: &Path) -> Result<(bool, Vec<String>), Failure> {
    let mut command = git::command(repo);
    command.args(["fsck", "--strict", "--no-dangling", "--no-progress"]);
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let complaint =
        |line: &&str| !line.starts_with("warning") && !line.starts_with("notice") && !line.trim().is_empty();
    Ok((output.status.success(), text.lines().filter(complaint).map(str::to_owned).collect()))
}

/// Which of these ids a repository has.
pub(super) fn has(repo: &Path, ids: &[String]) -> Result<Vec<bool>, Failure> {
    let mut command = git::command(repo);
    command.args(["cat-file", "--batch-check"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let text = ids.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer of ids failed")??;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(|line| !line.ends_with("missing")).collect())
}

/// Whether git takes this pack.
pub(super) fn takes(dir: &Path, real: &Path, pack: &Path) -> Result<bool, Failure> {
    let path = dir.join("taker");
    if !path.is_dir() {
        drop(Oracle::new(dir, "taker", real)?);
    }
    let mut command = git::command(&path);
    command.args(["index-pack", "--strict", "--stdin", "--fix-thin"]).stdin(std::fs::File::open(pack)?);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status()?.success())
}
