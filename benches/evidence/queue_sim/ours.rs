//! The queue itself, driven by a virtual clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use hedgerow_merge::CommitId;
use hedgerow_merge::queue::*;

use super::tally::Tally;
use super::truth::{Change, Field};
use crate::Failure;
use crate::random::Random;

/// A commit: a change on top of another commit.
#[derive(Debug)]
struct Commit {
    below: usize,
    change: usize,
    tree: u128,
    good: bool,
    /// The number of its landing.
    landed: Option<usize>,
}

/// What happens later.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    Arrives(usize),
    Ends { commit: usize, run: u32 },
}

#[derive(Debug)]
struct Driver<'a> {
    field: &'a Field,
    changes: &'a mut [Change],
    commits: Vec<Commit>,
    made: HashMap<(usize, usize), usize>,
    /// The number of the landing of each change.
    landed: Vec<Option<usize>>,
    /// The commit that each change was made as.
    own: Vec<usize>,
    /// The runs that were not cancelled, by tree, and when they began.
    running: HashMap<u128, (u32, u64)>,
    later: BinaryHeap<Reverse<(u64, u64, Later)>>,
    drawn: u64,
    now: u64,
    tally: Tally,
    key: GateKey,
    target: usize,
}

/// Sends all changes through a queue.
pub(super) fn run(field: &Field, changes: &mut [Change], guarantee: Guarantee) -> Result<Tally, Failure> {
    let key = GateKey { gate: Digest::new("g"), environment: Digest::new("e") };
    let root = Commit { below: 0, change: usize::MAX, tree: 0, good: true, landed: Some(0) };
    let mut driver = Driver {
        field,
        landed: vec![None; changes.len()],
        own: vec![0; changes.len()],
        later: changes.iter().enumerate().map(|(n, c)| Reverse((c.arrives, 0, Later::Arrives(n)))).collect(),
        changes,
        commits: vec![root],
        made: HashMap::new(),
        running: HashMap::new(),
        drawn: 0,
        now: 0,
        tally: Tally::default(),
        key: key.clone(),
        target: 0,
    };
    let mut config = Config::new(guarantee, key, field.slots);
    config.thrift = field.thrift;
    let mut queue = State::new(config, driver.tip(0)?);
    while let Some(Reverse((now, _, later))) = driver.later.pop() {
        driver.now = now;
        let mut events: VecDeque<Event> = driver.happens(later)?.into_iter().collect();
        while let Some(event) = events.pop_front() {
            for action in step(&mut queue, event) {
                events.extend(driver.act(action)?);
            }
        }
    }
    driver.tally.open = queue.open().count();
    Ok(driver.tally)
}

impl Driver<'_> {
    fn tip(&self, commit: usize) -> Result<Tip, Failure> {
        let tree = TreeId::new(format!("{:032x}", self.commits[commit].tree));
        Ok(Tip { commit: name(commit)?, tree })
    }

    fn happens(&mut self, later: Later) -> Result<Option<Event>, Failure> {
        Ok(match later {
            Later::Arrives(n) => Some(Event::Enqueue(self.submission(n)?)),
            Later::Ends { commit, run } => {
                let tree = self.commits[commit].tree;
                if self.running.get(&tree).is_none_or(|(running, _)| *running != run) {
                    return Ok(None);
                }
                self.running.remove(&tree);
                let verdict = if self.commits[commit].good && !self.flakes(tree, run) {
                    Verdict::Passed
                } else {
                    Verdict::Failed { step: "test".into() }
                };
                Some(Event::GateDone { tree: self.tip(commit)?.tree, key: self.key.clone(), run, verdict })
            }
        })
    }

    fn submission(&mut self, n: usize) -> Result<Submission, Failure> {
        // The agent began on what is the target today, and its own tree is that with its change.
        let made = self.merge(self.target, n);
        self.own[n] = made;
        let tip = self.tip(made)?;
        let mut new = Submission::new(ChangeId::new(n.to_string()), tip.commit, tip.tree, name(self.target)?);
        let change = &self.changes[n];
        if change.certified && self.commits[made].good {
            new.certificate = Some(self.key.clone());
        }
        new.footprint.scopes.push(change.scope.to_string());
        new.footprint.lines = change.lines;
        Ok(new)
    }

    /// Whether a run fails on a good tree, always the same for the same run.
    fn flakes(&self, tree: u128, run: u32) -> bool {
        let low = u64::try_from(tree & u128::from(u64::MAX)).unwrap_or(0);
        Random::new(low ^ (u64::from(run) << 32) ^ self.field.seed).fraction() < self.field.flakes
    }

    /// Makes the commit of a change on top of another, once.
    fn merge(&mut self, base: usize, change: usize) -> usize {
        if let Some(made) = self.made.get(&(base, change)) {
            return *made;
        }
        let good = self.commits[base].good && !self.changes[change].bad && !self.breaks(base, change);
        let tree = self.commits[base].tree ^ spread(change);
        self.commits.push(Commit { below: base, change, tree, good, landed: None });
        self.made.insert((base, change), self.commits.len() - 1);
        self.commits.len() - 1
    }

    /// Whether a change fails together with one that is in a commit.
    fn breaks(&self, base: usize, change: usize) -> bool {
        let others = &self.changes[change].breaks;
        if others.is_empty() {
            return false;
        }
        let mut at = base;
        let landings = loop {
            match self.commits[at].landed {
                Some(landings) => break landings,
                None if others.contains(&self.commits[at].change) => return true,
                None => at = self.commits[at].below,
            }
        };
        others.iter().any(|other| self.landed[*other].is_some_and(|landing| landing <= landings))
    }

    fn act(&mut self, action: Action) -> Result<Option<Event>, Failure> {
        Ok(match action {
            Action::Prepare { base, change, head } => {
                let made = self.merge(index(&base)?, change.as_str().parse()?);
                Some(Event::Prepared { base, change, head, merge: Merge::Made(self.tip(made)?) })
            }
            Action::StartGate(run) => {
                let commit = index(&run.commit)?;
                let newest = self.commits[commit].change;
                let takes = self.changes.get(newest).map_or(1, |change| change.gate);
                self.running.insert(self.commits[commit].tree, (run.run, self.now));
                self.tally.run(takes);
                self.drawn += 1;
                self.later.push(Reverse((self.now + takes, self.drawn, Later::Ends { commit, run: run.run })));
                None
            }
            Action::CancelGate(run) => {
                let commit = &self.commits[index(&run.commit)?];
                let takes = self.changes.get(commit.change).map_or(1, |change| change.gate);
                if let Some((_, began)) = self.running.remove(&commit.tree) {
                    self.tally.busy -= (began + takes).saturating_sub(self.now);
                }
                None
            }
            Action::Land(landing) => {
                for landed in &landing.changes {
                    self.land(landed)?;
                }
                Some(Event::Landed { commit: landing.to.commit })
            }
            Action::End { change, attempt, end } => {
                self.end(change.as_str().parse()?, &end)?;
                Some(Event::Noted { change, attempt })
            }
            Action::TargetRed { tip } => return Err(format!("{} is said to be red", tip.commit).into()),
        })
    }

    fn land(&mut self, landed: &Landed) -> Result<(), Failure> {
        let (commit, change) = (index(&landed.commit.commit)?, landed.change.as_str().parse::<usize>()?);
        if self.commits[commit].below != self.target {
            return Err(format!("{change} does not land on the target").into());
        }
        if !self.commits[commit].good {
            self.tally.escapes += 1;
            // Somebody mends it at once; otherwise nothing would land any more.
            self.commits[commit].good = true;
            for other in std::mem::take(&mut self.changes[change].breaks) {
                self.changes[other].breaks.retain(|one| *one != change);
            }
        }
        let landing = self.tally.waits.len() + 1;
        self.commits[commit].landed = Some(landing);
        self.landed[change] = Some(landing);
        self.target = commit;
        self.tally.land(&self.changes[change], self.now);
        Ok(())
    }

    fn end(&mut self, change: usize, end: &End) -> Result<(), Failure> {
        let rejection = match end {
            End::Landed { .. } => return Ok(()),
            End::Rejected(rejection) => rejection,
            other => return Err(format!("{change} ended as {other:?}").into()),
        };
        self.tally.rejected += 1;
        let truth = &self.changes[change];
        let breaks = !truth.bad && truth.breaks.iter().any(|other| self.landed[*other].is_some());
        // What was made on top of what it does not go with is bad by itself.
        let pair = breaks && self.commits[self.own[change]].good;
        self.tally.pairs += u64::from(pair);
        match rejection {
            Rejection::Pair { with, .. } => {
                let with: usize = with.as_str().parse()?;
                self.tally.named += u64::from(pair && truth.breaks.contains(&with));
            }
            Rejection::GateFailed { .. } => {}
            other => return Err(format!("{change} was rejected for {other:?}").into()),
        }
        self.tally.wrong += u64::from(!truth.bad && !breaks);
        Ok(())
    }
}

fn name(commit: usize) -> Result<CommitId, Failure> {
    Ok(CommitId::new(format!("{commit:040x}"))?)
}

fn index(commit: &CommitId) -> Result<usize, Failure> {
    Ok(usize::from_str_radix(commit.as_str(), 16)?)
}

/// A number for a change whose exclusive or with others says which changes there are.
fn spread(change: usize) -> u128 {
    let seed = u64::try_from(change).unwrap_or(u64::MAX);
    let half = |salt: u64| u128::from(Random::new(seed ^ salt).number());
    half(0x5bd1_e995_0000_0001) << 64 | half(0x9747_b28c_0000_0002)
}
