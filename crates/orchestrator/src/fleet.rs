//! The handle that programs embed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hedgerow_sandbox::Sandbox;
use hedgerow_worktree::{Disposition, LocalWorktrees, Worktree};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::dispatcher::{self, Dispatcher, Mode};
use crate::journal::{FileJournal, Journal};
use crate::layout::RunDir;
use crate::lock::FleetLock;
use crate::preflight;
use crate::services::Services;
use crate::shutdown::{Phase, Stopper};
use crate::state::RunState;
use crate::{
    Builder, Error, Event, EventKind, Kept, Live, Plan, Report, Result, Stage, Subscription, attempt, handoff,
};

/// How many live messages an observer may be behind before it misses some.
const BACKLOG: usize = 4096;

/// Runs plans on one repository.
///
/// There is one fleet per repository at a time. Dropping it, or the future of one of its methods, destroys nothing. A run
/// that was underway then goes on in the background, and holds the repository, until it ends or its runtime does; end it
/// through a [`Stopper`].
#[derive(Debug)]
pub struct Fleet {
    services: Arc<Services>,
    state: std::path::PathBuf,
    live: broadcast::Sender<Live>,
    stopper: Stopper,
    unfinished: Option<(RunDir, RunState)>,
    trees: Vec<Worktree>,
    found: Found,
    /// The run that is underway, also when whoever waited for it is gone.
    current: Option<JoinHandle<Result<RunState>>>,
    stale: Stale,
    lock: Arc<FleetLock>,
}

/// Whether what the fleet knows of unfinished work may be outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stale {
    No,
    Yes,
}

/// What a fleet found when it was opened, left by one that did not end in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The run that is not finished, if there is one.
    pub run: Option<String>,
    /// Worktrees that were taken over or put away, and half-done operations that were finished or undone, in words.
    pub mended: Vec<String>,
    /// What could not be mended; nothing of it was deleted.
    pub left: Vec<String>,
}

impl Fleet {
    /// Opens the repository at `path` with all defaults: the native lane, a merge commit, [`Policy::standard`](
    /// hedgerow_sandbox::Policy::standard).
    ///
    /// # Errors
    /// When the native lane is not available here, another fleet is at work, or the repository cannot be used.
    #[cfg(feature = "native")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let lane = handoff::blocking("probing", hedgerow_sandbox::NativeSandbox::probe).await??;
        Self::builder(path, Arc::new(lane)).open().await
    }

    /// Begins to put a fleet together for the repository at `path` and this lane.
    pub fn builder(path: impl AsRef<Path>, lane: Arc<dyn Sandbox>) -> Builder {
        Builder::new(path.as_ref(), lane)
    }

    pub(crate) async fn start(services: Services, state: &Path) -> Result<Self> {
        let lock = FleetLock::take(state)?;
        let mut fleet = Self {
            services: Arc::new(services),
            state: state.to_owned(),
            live: broadcast::channel(BACKLOG).0,
            stopper: Stopper::new(),
            found: Found::default(),
            unfinished: None,
            trees: Vec::new(),
            current: None,
            stale: Stale::Yes,
            lock: Arc::new(lock),
        };
        fleet.take_stock().await?;
        Ok(fleet)
    }

    /// Finds out what is unfinished: when the fleet is opened, and after a run that its journal failed.
    async fn take_stock(&mut self) -> Result<()> {
        if let Some(current) = &mut self.current {
            // Its end is in the journal, which is read below.
            let _ended = current.await;
            self.current = None;
        }
        if self.stale == Stale::No {
            return Ok(());
        }
        let state = self.state.clone();
        self.unfinished = handoff::blocking("reading the journal", move || unfinished(&state)).await??;
        if let Some((dir, run)) = &self.unfinished {
            preflight::same_wiring(dir, run, &self.services)?;
            self.found.run = Some(dir.id.as_str().to_owned());
        }
        self.stop_strays().await?;
        self.recover_trees().await?;
        self.stale = Stale::No;
        Ok(())
    }

    /// What was found when the fleet was opened.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Events and output from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(self.live.subscribe())
    }

    /// Stops what this fleet runs, from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs a plan to its end; goes on with the unfinished run when that has the same plan.
    ///
    /// # Errors
    /// [`Error::Plan`], [`Error::Preflight`] and what is wrong with repository or lane, before anything starts. After
    /// that only when the journal cannot be written: what was begun is found by the next start.
    pub async fn run(&mut self, plan: Plan) -> Result<Report> {
        self.take_stock().await?;
        if self.stopping() {
            return Err(Error::Preflight { problem: "this fleet was stopped; open another one".into() });
        }
        let known: BTreeSet<_> = self.services.agents.keys().cloned().collect();
        plan.check(&known)?;
        let target = preflight::check(&self.services, &plan).await?;
        match self.unfinished.take() {
            Some((dir, state)) if state.plan == plan => self.go_on(dir, state, Mode::Start).await,
            Some((dir, state)) => {
                let run = dir.id.as_str().to_owned();
                self.unfinished = Some((dir, state));
                let cure = "run that plan again to go on with it, or end it (`Fleet::close`, `fleet recover --close`)";
                Err(Error::Preflight { problem: format!("run {run} of another plan is not finished; {cure}") })
            }
            None => self.begin(plan, target).await,
        }
    }

    /// Brings what an earlier fleet had begun to its end without starting anything new: agents that still run are
    /// waited for, finished work is captured, gated and landed, interrupted work is put under rescue refs.
    ///
    /// Returns none when there is no unfinished run.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn recover(&mut self) -> Result<Option<Report>> {
        self.end_begun(Mode::Leave).await
    }

    /// Ends an unfinished run: what was begun is brought to its end, the rest is cancelled.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn close(&mut self) -> Result<Option<Report>> {
        self.end_begun(Mode::Cancel).await
    }

    async fn end_begun(&mut self, mode: Mode) -> Result<Option<Report>> {
        self.take_stock().await?;
        match self.unfinished.take() {
            None => Ok(None),
            Some((dir, state)) => self.go_on(dir, state, mode).await.map(Some),
        }
    }

    async fn begin(&mut self, plan: Plan, target: hedgerow_merge::BranchName) -> Result<Report> {
        self.stale = Stale::Yes;
        let dir = RunDir::create(&self.state, dispatcher::now() / 1000)?;
        let mut journal = FileJournal::create(dir.journal())?;
        let lane = self.services.lane.name().to_owned();
        let gate = self.services.gate_name().to_owned();
        let (of, onto, within, by) = (plan.clone(), target.clone(), lane.clone(), gate.clone());
        let kind = EventKind::RunStarted { plan: of, target: onto, lane: within, gate: by };
        let event = Event { seq: 0, at: dispatcher::now(), kind };
        journal.append(&event).await?;
        let _nobody = self.live.send(Live::Event(Box::new(event)));
        let state = RunState::new(plan, target, lane, gate);
        self.dispatch(dir, Box::new(journal), state, Mode::Start).await
    }

    async fn go_on(&mut self, dir: RunDir, state: RunState, mode: Mode) -> Result<Report> {
        self.stale = Stale::Yes;
        let journal = FileJournal::open(dir.journal())?;
        self.dispatch(dir, Box::new(journal), state, mode).await
    }

    async fn dispatch(
        &mut self,
        dir: RunDir,
        journal: Box<dyn Journal>,
        state: RunState,
        mode: Mode,
    ) -> Result<Report> {
        let trees = std::mem::take(&mut self.trees);
        let (services, live, watch) = (Arc::clone(&self.services), self.live.clone(), self.stopper.watch());
        // Until the run ends in order, only the journal knows how far it is; also when this future is dropped.
        self.stale = Stale::Yes;
        let dispatcher = Dispatcher::new(services, dir.clone(), journal, state, live, watch);
        let lock = Arc::clone(&self.lock);
        let run = async move {
            let ended = dispatcher.run(trees, mode).await;
            drop(lock);
            ended
        };
        let ended = self.current.insert(tokio::spawn(run)).await;
        self.current = None;
        let state = ended.map_err(|e| Error::Panicked { what: "the dispatcher", message: e.to_string() })??;
        self.stale = Stale::No;
        let report = Report::of(&dir, &state);
        if !state.finished {
            self.unfinished = Some((dir, state));
        }
        Ok(report)
    }

    /// Ends sandboxes of runs of this repository that no attempt will take over.
    async fn stop_strays(&mut self) -> Result<()> {
        let adoptable: BTreeSet<_> = match &self.unfinished {
            None => BTreeSet::new(),
            Some((dir, state)) => attempt::underway(state)
                .into_iter()
                .filter(|(_, own)| matches!(own.stage, Some(Stage::Working { .. })))
                .filter_map(|(_, own)| handoff::sandbox_id(dir, &own.begun?.worktree).ok())
                .collect(),
        };
        for dir in RunDir::all(&self.state)? {
            for id in self.services.lane.list(&handoff::labels(&dir)).await? {
                if adoptable.contains(&id) {
                    continue;
                }
                if let Some(running) = self.services.lane.adopt(&id).await? {
                    running.stop(handoff::GRACE).await?;
                    self.found.mended.push(format!("sandbox {id} was ended"));
                }
            }
        }
        Ok(())
    }

    /// Takes over the worktrees of the unfinished run, and puts away those that no attempt needs.
    async fn recover_trees(&mut self) -> Result<()> {
        let recovery = self.services.worktrees.recover().await?;
        self.found.mended.extend(recovery.mended.iter().map(ToString::to_string));
        self.found.left.extend(recovery.left);
        let runs: Vec<_> = RunDir::all(&self.state)?.into_iter().map(|dir| dir.id).collect();
        let wanted: BTreeSet<_> = match &self.unfinished {
            None => BTreeSet::new(),
            Some((_, state)) => {
                attempt::underway(state).into_iter().filter_map(|(_, own)| Some(own.begun?.worktree)).collect()
            }
        };
        for tree in recovery.adopted {
            if wanted.contains(tree.id()) {
                self.trees.push(tree);
            } else if runs.iter().any(|run| handoff::belongs(tree.id(), run)) {
                self.put_away(tree).await?;
            }
            // Others belong to another program that uses the worktree library here: dropping the handle leaves them.
        }
        Ok(())
    }

    async fn put_away(&mut self, tree: Worktree) -> Result<()> {
        let id = tree.id().clone();
        let disposition = match tree.branch() {
            Some(_) => Disposition::Archive,
            None => Disposition::Discard,
        };
        let released = self.services.worktrees.release(tree, disposition).await?;
        let place = match attempt::kept(released).first() {
            Some(Kept::Rescue(rescue)) => format!("its work is under {}", rescue.reference),
            Some(Kept::Tree { path, why }) => format!("it is kept at {} ({why})", path.display()),
            None => "it held nothing of its own".into(),
        };
        self.found.mended.push(format!("worktree {id} was put away; {place}"));
        Ok(())
    }

    /// The runs of the repository at `path`, oldest first, from their journals alone. Takes no lock, and writes nothing but the
    /// empty directories that any first use makes.
    ///
    /// # Errors
    /// When the repository or a journal cannot be read.
    pub fn status(path: impl AsRef<Path>) -> Result<Vec<Report>> {
        let worktrees = LocalWorktrees::open(path)?;
        let mut reports = Vec::new();
        for dir in RunDir::all(worktrees.state_dir())? {
            if let Some(state) = replay(&dir)? {
                reports.push(Report::of(&dir, &state));
            }
        }
        Ok(reports)
    }

    /// All events of a run, from its journal.
    ///
    /// # Errors
    /// When there is no such run, or its journal cannot be read.
    pub fn events(path: impl AsRef<Path>, run: &str) -> Result<Vec<Event>> {
        let worktrees = LocalWorktrees::open(path)?;
        match RunDir::all(worktrees.state_dir())?.into_iter().find(|dir| dir.id.as_str() == run) {
            Some(dir) => FileJournal::read(&dir.journal()),
            None => Err(Error::NoSuchRun { run: run.to_owned() }),
        }
    }

    /// Waits until the worktrees that were removed are gone from the disk, which happens in the background, and says in
    /// words what could not be deleted. For the end of a program; what it does not wait for, the next fleet deletes.
    ///
    /// # Errors
    /// When the state of the worktrees cannot be read.
    pub async fn purge(&self) -> Result<Vec<String>> {
        Ok(self.services.local.purge().await?.left)
    }

    /// Whether this fleet was told to stop.
    pub fn stopping(&self) -> bool {
        self.stopper.watch().phase() != Phase::Run
    }
}

/// The newest run, if it is not finished. Older ones are: none begins while another is unfinished.
fn unfinished(state: &Path) -> Result<Option<(RunDir, RunState)>> {
    for dir in RunDir::all(state)?.into_iter().rev() {
        if let Some(run) = replay(&dir)? {
            return Ok((!run.finished).then_some((dir, run)));
        }
    }
    Ok(None)
}

/// The state of a run; none when it was killed before its first event was durable.
fn replay(dir: &RunDir) -> Result<Option<RunState>> {
    if !dir.journal().exists() {
        return Ok(None);
    }
    Ok(RunState::replay(&FileJournal::read(&dir.journal())?))
}
