//! The one owner of a run's state.
//!
//! It alone appends to the journal and decides what to start. Attempts report to it and go on when their report is
//! durable; nothing else is shared between them but the turn to land.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hedgerow_worktree::{Worktree, WorktreeId};
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};

use crate::attempt::{self, Attempt, Rest};
use crate::journal::Journal;
use crate::layout::RunDir;
use crate::scheduler;
use crate::services::Services;
use crate::shutdown::{Phase, Watch};
use crate::state::{RunState, TaskState};
use crate::{Error, Event, EventKind, Kept, Live, Outcome, Result, Stage, Task, TaskId};

/// What shall be done with tasks that were not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are started, until every task is over.
    Start,
    /// They wait for another time; only what was begun is brought to its end.
    Leave,
    /// They are cancelled, and the run ends with what was begun.
    Cancel,
}

/// Runs attempts until there is nothing more to do.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    services: Arc<Services>,
    dir: RunDir,
    journal: Box<dyn Journal>,
    state: RunState,
    live: broadcast::Sender<Live>,
    watch: Watch,
    inbox: mpsc::Receiver<Message>,
    reporter: Reporter,
    turn: Arc<Mutex<()>>,
    agents: Arc<BTreeMap<String, crate::agents::CommandAgent>>,
    attempts: JoinSet<Result<()>>,
    busy: BTreeMap<Id, TaskId>,
}

/// An event to record, and whom to tell that it is durable.
#[derive(Debug)]
struct Message {
    kind: EventKind,
    durable: oneshot::Sender<()>,
}

/// What attempts report through.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    outbox: mpsc::Sender<Message>,
    live: broadcast::Sender<Live>,
}

impl Reporter {
    /// Records that an attempt reached a stage; durable when this returns.
    pub(crate) async fn stage(&self, task: &TaskId, number: u32, stage: Stage) -> Result<()> {
        self.record(EventKind::Attempt { task: task.clone(), number, stage }).await
    }

    /// Records that a task is over; durable when this returns.
    pub(crate) async fn finished(&self, task: TaskId, outcome: Outcome, kept: Vec<Kept>) -> Result<()> {
        self.record(EventKind::TaskFinished { task, outcome, kept }).await
    }

    /// Shows observers what a task prints. Nobody may be watching, and a slow one misses some.
    pub(crate) fn output(&self, task: &TaskId, text: String) {
        let _nobody = self.live.send(Live::Output { task: task.clone(), text });
    }

    async fn record(&self, kind: EventKind) -> Result<()> {
        let gone = Error::Gone { what: "the dispatcher" };
        let (durable, done) = oneshot::channel();
        let sent = self.outbox.send(Message { kind, durable }).await;
        if sent.is_err() || done.await.is_err() { Err(gone) } else { Ok(()) }
    }
}

impl Dispatcher {
    pub(crate) fn new(
        services: Arc<Services>,
        dir: RunDir,
        journal: Box<dyn Journal>,
        state: RunState,
        live: broadcast::Sender<Live>,
        watch: Watch,
    ) -> Self {
        let (outbox, inbox) = mpsc::channel(64);
        let reporter = Reporter { outbox, live: live.clone() };
        let agents = Arc::new(state.plan.agents.clone());
        Self {
            services,
            dir,
            journal,
            state,
            live,
            watch,
            inbox,
            reporter,
            turn: Arc::new(Mutex::new(())),
            agents,
            attempts: JoinSet::new(),
            busy: BTreeMap::new(),
        }
    }

    /// Runs until every task is over, or until nothing begun is left when `mode` says so.
    ///
    /// # Errors
    /// When the journal failed. Attempts are stopped then, and what they did is found by the next start.
    pub(crate) async fn run(mut self, trees: Vec<Worktree>, mode: Mode) -> Result<RunState> {
        match self.drive(trees, mode).await {
            Ok(phase) => self.close(phase, mode).await,
            Err(error) => {
                self.attempts.shutdown().await;
                Err(error)
            }
        }
    }

    async fn drive(&mut self, mut trees: Vec<Worktree>, mode: Mode) -> Result<Phase> {
        for (task, state) in attempt::underway(&self.state) {
            let wanted = state.begun.as_ref().map(|begun| begun.worktree.clone());
            let attempt = self.attempt(task, state.attempts, take(&mut trees, wanted.as_ref()));
            self.spawn(attempt.task.id.clone(), attempt.resume(state));
        }
        let mut phase = self.watch.phase();
        loop {
            if phase == Phase::Run && mode == Mode::Start {
                self.start_what_is_ready().await?;
            }
            if self.attempts.is_empty() {
                break;
            }
            let mut watch = self.watch.clone();
            tokio::select! {
                Some(message) = self.inbox.recv() => self.handle(message).await?,
                Some(ended) = self.attempts.join_next_with_id() => self.ended(ended).await?,
                next = watch.beyond(phase) => phase = next,
            }
        }
        Ok(phase)
    }

    async fn start_what_is_ready(&mut self) -> Result<()> {
        loop {
            let busy: BTreeSet<_> = self.busy.values().cloned().collect();
            let free = self.services.parallel.saturating_sub(busy.len());
            let decision = scheduler::decide(&self.state, &busy, free);
            for id in decision.start {
                if let Some(task) = self.state.task(&id).cloned() {
                    let number = self.state.tasks.get(&id).map_or(1, |own| own.attempts + 1);
                    let attempt = self.attempt(task, number, None);
                    self.spawn(id, attempt.run());
                }
            }
            if decision.skip.is_empty() {
                return Ok(());
            }
            // Each skip may make further tasks impossible, so decide again.
            for (task, because) in decision.skip {
                self.finish(task, Outcome::Skipped { because }).await?;
            }
        }
    }

    fn attempt(&self, task: Task, number: u32, tree: Option<Worktree>) -> Attempt {
        Attempt {
            services: Arc::clone(&self.services),
            dir: self.dir.clone(),
            target: self.state.target.clone(),
            agents: Arc::clone(&self.agents),
            gate: self.state.plan.gate.clone(),
            turn: Arc::clone(&self.turn),
            task,
            number,
            begun: None,
            tree,
            rest: Rest::Certain,
            turn_of_agent: 1,
            follow_up: None,
            judged: None,
            reporter: self.reporter.clone(),
            watch: self.watch.clone(),
        }
    }

    fn spawn(&mut self, task: TaskId, attempt: impl Future<Output = Result<()>> + Send + 'static) {
        let handle = self.attempts.spawn(attempt);
        self.busy.insert(handle.id(), task);
    }

    async fn handle(&mut self, message: Message) -> Result<()> {
        self.record(message.kind).await?;
        // An attempt that was aborted no longer waits.
        let _gone = message.durable.send(());
        Ok(())
    }

    async fn ended(&mut self, ended: std::result::Result<(Id, Result<()>), JoinError>) -> Result<()> {
        match ended {
            Ok((id, result)) => {
                self.busy.remove(&id);
                result
            }
            Err(panic) => match self.busy.remove(&panic.id()) {
                Some(task) => {
                    let why = format!("the attempt panicked ({panic}); the next start puts its work away");
                    self.finish(task, Outcome::Broken { why }).await
                }
                None => Ok(()),
            },
        }
    }

    async fn close(mut self, phase: Phase, mode: Mode) -> Result<RunState> {
        if phase != Phase::Run || mode == Mode::Cancel {
            let waiting = |(id, own): (&TaskId, &TaskState)| own.outcome.is_none().then(|| id.clone());
            for task in self.state.tasks.iter().filter_map(waiting).collect::<Vec<_>>() {
                self.finish(task, Outcome::Cancelled).await?;
            }
        }
        if self.state.tasks.values().all(|own| own.outcome.is_some()) {
            self.record(EventKind::RunFinished).await?;
        }
        Ok(self.state)
    }

    async fn finish(&mut self, task: TaskId, outcome: Outcome) -> Result<()> {
        self.record(EventKind::TaskFinished { task, outcome, kept: Vec::new() }).await
    }

    /// Durable first, then in the state, then shown.
    async fn record(&mut self, kind: EventKind) -> Result<()> {
        let event = Event { seq: self.state.next_seq, at: now(), kind };
        self.journal.append(&event).await?;
        self.state.apply(&event);
        let _nobody = self.live.send(Live::Event(Box::new(event)));
        Ok(())
    }
}

/// Takes the worktree with this id out of the list.
fn take(trees: &mut Vec<Worktree>, wanted: Option<&WorktreeId>) -> Option<Worktree> {
    let at = trees.iter().position(|tree| Some(tree.id()) == wanted)?;
    Some(trees.swap_remove(at))
}

/// Milliseconds since the Unix epoch; 0 when the clock is before it.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
