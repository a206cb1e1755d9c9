//! Views that are large, or small and stand for something large: each is captured in a process of its own, whose memory and
//! time are measured.

mod bombs;
mod packer;
mod refs;
mod trees;

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::arena::{Arena, refusals};
use crate::table::{Evidence, Table};
use crate::{Failure, git, progress, usage};

/// The largest resident size that taking over one view may have, in MiB.
const MEMORY: u64 = 1536;
/// The longest that it may take: far more than it does on an idle machine, far less than for ever.
const PATIENCE: Duration = Duration::from_secs(600);

/// What must become of a view.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Accepted,
    /// Nothing of it gets in, for a reason with these words.
    Refused(&'static str),
    /// `HEAD` gets in, and the reason why something else did not has these words.
    InPart(&'static str),
}

use Expected::{Accepted, InPart, Refused};

/// Fills the view; returns the commit that `HEAD` then names.
type Make = fn(&Arena) -> Result<String, Failure>;

struct Size {
    name: &'static str,
    expected: Expected,
    make: Make,
}

const SIZES: [Size; 16] = [
    // Of a base that nobody needs again nothing is held, so it is the work that ends it.
    Size { name: "a chain of 4000 deltas, each makes 256 MiB", expected: Refused("too much work"), make: bombs::chain },
    Size {
        name: "a chain of deltas, each makes 256 MiB and is needed twice",
        expected: Refused("at the same time"),
        make: bombs::forks,
    },
    Size {
        name: "4000 deltas of one base, each makes 256 MiB",
        expected: Refused("too much work"),
        make: bombs::siblings,
    },
    // The end of the chain is remembered, so it is unpacked once and not a hundred thousand times.
    Size { name: "100000 deltas at the end of a chain of 4000", expected: Accepted, make: bombs::comb },
    Size { name: "a pack with a million tiny objects", expected: Accepted, make: bombs::tiny },
    Size { name: "30 packs of 1900000 empty objects", expected: Refused("objects"), make: bombs::packs },
    Size { name: "a tree of a million names of one file", expected: Accepted, make: trees::names },
    Size { name: "a tree of 100000 files", expected: Accepted, make: trees::files },
    Size {
        name: "300 trees, each names the next one a million times",
        expected: Refused("too much work"),
        make: trees::fan,
    },
    Size { name: "trees nested 10000 deep", expected: Refused("too deep"), make: trees::deep },
    Size { name: "a commit with 100000 parents", expected: Accepted, make: trees::octopus },
    Size { name: "30000 commits made inside by git", expected: Accepted, make: trees::history },
    Size { name: "a million refs in packed-refs", expected: InPart("packed-refs"), make: refs::packed },
    Size { name: "200000 loose refs", expected: InPart("refs"), make: refs::loose },
    Size { name: "300000 directories of refs without a ref", expected: InPart("refs"), make: refs::hollow },
    Size { name: "reflogs of 8 GiB of holes", expected: InPart("log"), make: refs::logs },
];

/// What one process found.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    there: bool,
    refused: Vec<String>,
    took: Duration,
    /// The largest resident size while the view was taken over, in KiB.
    peak: u64,
    sound: bool,
}

/// Takes over the view of this number; what came of it goes to standard output.
pub(super) fn one(number: usize) -> Result<(), Failure> {
    let size = SIZES.get(number).ok_or("no such view")?;
    let arena = Arena::new()?;
    let tip = (size.make)(&arena)?;
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = Instant::now();
    let capture = arena.capture()?;
    let took = before.elapsed();
    let peak = peak()?;
    let there = git::command(&arena.repo()).args(["cat-file", "-e", &tip]).stderr(Stdio::null()).status()?.success();
    let refused = refusals(&capture).into_iter().map(str::to_owned).collect();
    let fsck = ["fsck", "--strict", "--no-dangling", "--no-progress", "--connectivity-only"];
    let sound = git::command(&arena.repo()).args(fsck).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success();
    println!("{}", serde_json::to_string(&Found { there, refused, took, peak, sound })?);
    Ok(())
}

/// The largest resident size since it was last reset.
fn peak() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel tells no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

pub(super) fn all() -> Result<Evidence, Failure> {
    let mut table = Table::new(
        "Views that are large, or stand for something large",
        ["the view", "taken over", "the reason", "seconds", "largest resident size"],
    );
    let mut evidence = Evidence { command: "evidence import --sizes".into(), ..Evidence::default() };
    for (number, size) in SIZES.iter().enumerate() {
        progress(size.name);
        let mut child = std::process::Command::new(std::env::current_exe()?);
        child.args(["import", "--size", &number.to_string()]).stdout(Stdio::piped());
        let mut child = child.spawn()?;
        let said = std::io::read_to_string(child.stdout.take().ok_or("no standard output")?)?;
        let used = usage::measure(child)?;
        let Ok(found) = serde_json::from_str::<Found>(&said) else {
            table.row([size.name, "-", &format!("it ended with {}", used.status), "-", "-"]);
            evidence.missed.push(format!("{}: {}", size.name, used.status));
            continue;
        };
        table.row([
            size.name,
            if found.there { "yes" } else { "no" },
            found.refused.first().map_or("", String::as_str),
            &format!("{:.1}", found.took.as_secs_f64()),
            &format!("{} MiB", found.peak / 1024),
        ]);
        evidence.missed.extend(missed(size, &found));
    }
    evidence.tables.push(table);
    Ok(evidence)
}

fn missed(size: &Size, found: &Found) -> Vec<String> {
    let said = |words: &str| found.refused.iter().any(|why| why.contains(words));
    let as_expected = match size.expected {
        Accepted => found.there && found.refused.is_empty(),
        Refused(words) => !found.there && said(words),
        InPart(words) => found.there && said(words),
    };
    let mut missed = Vec::new();
    let mut miss = |what: String| missed.push(format!("{}: {what}", size.name));
    if !as_expected {
        miss(format!("taken over: {}, {:?}", found.there, found.refused));
    }
    if !found.sound {
        miss("git finds the repository unsound".into());
    }
    if found.peak / 1024 > MEMORY {
        miss(format!("the largest resident size was {} MiB", found.peak / 1024));
    }
    if found.took > PATIENCE {
        miss(format!("it took {} s", found.took.as_secs()));
    }
    missed
}
