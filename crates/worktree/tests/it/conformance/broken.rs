//! A manager with one fault.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hedgerow_worktree::{
    Base, Capture, Disposition, Entry, Error, FakeWorktrees, Fate, Head, Keeper, Mended, Message, Owner, Recovery,
    Released, Request, Rescue, Result, SafetyReport, State, Worktree, WorktreeId, WorktreeManager, safety::Unknown,
};

use crate::repo::{branch, id, write};

/// What is wrong with a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    WrongBranch,
    MissingFile,
    BranchForDetached,
    StrayWork,
    OccupiedAsOther,
    LoserLeavesBranch,
    BaseGuessed,
    OneAtATime,
    SecondWinner,
    HalfCreated,
    HalfCaptured,
    NewFilesMissed,
    OldContent,
    DeletionsMissed,
    ModesLost,
    LinksFollowed,
    IgnoredTaken,
    FilesRewritten,
    BranchLeftBehind,
    AlwaysAnotherCommit,
    EarlierWorkLost,
    UncapturedLost,
    NotRescued,
    TreeLeft,
    NothingRescued,
    RescuesForgotten,
    KeptAsOrphan,
    MergedKept,
    MergedBelieved,
    DiscardKeeps,
    DiscardRemovesBranch,
    DropDeletes,
    NeverAdopts,
    AlwaysMends,
    AdoptsTheLiving,
    AnyHandle,
    OrphansUnlisted,
    AlwaysSafe,
    NeverSafe,
    InspectionCaptures,
    NothingIsSafe,
    RestoresTheBase,
    RestoreTakesTheRescue,
    RestoresAnything,
}

use Fault::*;

/// Every fault, and the rules that it breaks.
pub(crate) const FAULTS: &[(Fault, &[&str])] = &[
    (WrongBranch, &["a-new-worktree-is-what-was-asked-for"]),
    (MissingFile, &["a-new-tree-holds-its-base"]),
    (BranchForDetached, &["a-detached-worktree-has-no-branch"]),
    (StrayWork, &["trees-are-apart", "a-capture-of-nothing-is-empty"]),
    (
        OccupiedAsOther,
        &[
            "an-id-is-given-once",
            "a-branch-is-given-once",
            "of-many-for-one-id-exactly-one-wins",
            "of-many-for-one-branch-exactly-one-wins",
        ],
    ),
    (LoserLeavesBranch, &["a-refused-creation-leaves-nothing"]),
    (BaseGuessed, &["an-unknown-base-is-refused"]),
    (OneAtATime, &["many-are-created-at-once"]),
    (SecondWinner, &["of-many-for-one-id-exactly-one-wins", "of-many-for-one-branch-exactly-one-wins"]),
    (HalfCreated, &["a-cancelled-creation-can-be-repeated"]),
    (HalfCaptured, &["a-cancelled-capture-can-be-repeated"]),
    (NewFilesMissed, &["a-capture-takes-new-files"]),
    (OldContent, &["a-capture-takes-changes"]),
    (DeletionsMissed, &["a-capture-takes-deletions"]),
    (ModesLost, &["a-capture-takes-modes"]),
    (LinksFollowed, &["a-capture-takes-symlinks"]),
    (IgnoredTaken, &["a-capture-leaves-ignored-files"]),
    (FilesRewritten, &["a-capture-changes-nothing-in-the-tree"]),
    (BranchLeftBehind, &["a-capture-moves-the-branch", "a-new-tree-holds-its-base"]),
    (AlwaysAnotherCommit, &["a-capture-is-idempotent"]),
    (EarlierWorkLost, &["a-capture-goes-on-from-the-last"]),
    (UncapturedLost, &["archiving-rescues-what-was-not-captured"]),
    (
        NotRescued,
        &[
            "archiving-rescues-what-was-not-captured",
            "archiving-rescues-what-was-captured",
            "what-is-not-merged-is-rescued",
            "a-deleted-tree-leaves-its-commits",
            "an-adopted-worktree-can-be-finished",
        ],
    ),
    (TreeLeft, &["archiving-removes"]),
    (NothingRescued, &["archiving-nothing-rescues-nothing"]),
    (RescuesForgotten, &["rescues-outlive-the-worktree"]),
    (KeptAsOrphan, &["keeping-keeps"]),
    (MergedKept, &["merged-work-needs-no-tree"]),
    (MergedBelieved, &["what-is-not-merged-is-rescued"]),
    (DiscardKeeps, &["discarding-removes-a-detached-tree"]),
    (DiscardRemovesBranch, &["discarding-keeps-a-branch"]),
    (DropDeletes, &["dropping-a-handle-deletes-nothing", "recovery-adopts-what-was-left"]),
    (NeverAdopts, &["recovery-adopts-what-was-left", "recovery-is-idempotent"]),
    (AlwaysMends, &["recovery-is-idempotent"]),
    (AdoptsTheLiving, &["recovery-leaves-the-living-alone"]),
    (AnyHandle, &["a-handle-without-a-lease-can-do-nothing"]),
    (OrphansUnlisted, &["the-list-shows-all", "dropping-a-handle-deletes-nothing"]),
    (
        AlwaysSafe,
        &["uncommitted-work-is-not-safe", "work-of-its-own-branch-is-not-safe", "what-cannot-be-looked-at-is-not-safe"],
    ),
    (NeverSafe, &["an-untouched-worktree-is-safe"]),
    (InspectionCaptures, &["an-inspection-changes-nothing"]),
    (NothingIsSafe, &["what-is-not-there-cannot-be-inspected"]),
    (RestoresTheBase, &["restoring-brings-everything-back"]),
    (OccupiedAsOther, &["restoring-is-creating"]),
    (RestoreTakesTheRescue, &["restoring-leaves-the-rescue"]),
    (RestoresAnything, &["what-is-lost-cannot-be-restored"]),
];

type Handles = Arc<Mutex<HashMap<WorktreeId, Worktree>>>;

/// The fake, with a fault or without.
#[derive(Debug)]
pub(crate) struct Broken {
    inner: FakeWorktrees,
    fault: Option<Fault>,
    handles: Handles,
    creating: AtomicUsize,
    count: AtomicUsize,
}

/// What its handles hold; the handles of the fake are in the table.
struct Held {
    id: WorktreeId,
    handles: Handles,
    fault: Option<Fault>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let handle = self.handles.lock().unwrap().remove(&self.id);
        if let (Some(DropDeletes), Some(handle)) = (self.fault, &handle) {
            let _ = fs::remove_dir_all(handle.path());
        }
    }
}

impl Broken {
    pub(crate) fn new(inner: FakeWorktrees, fault: Option<Fault>) -> Self {
        Self { inner, fault, handles: Handles::default(), creating: AtomicUsize::new(0), count: AtomicUsize::new(0) }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn next(&self) -> usize {
        self.count.fetch_add(1, Ordering::SeqCst)
    }

    fn wrap(&self, handle: Worktree) -> Worktree {
        let parts = handle.parts().clone();
        let held = Held { id: parts.id.clone(), handles: Arc::clone(&self.handles), fault: self.fault };
        self.handles.lock().unwrap().insert(parts.id.clone(), handle);
        Worktree::new(parts, held)
    }

    /// The fake's handle behind one of ours, or the given one if it is none of ours.
    fn unwrap(&self, worktree: &Worktree) -> Option<Worktree> {
        let ours = worktree.lease().is::<Held>() || self.has(AnyHandle);
        ours.then(|| self.handles.lock().unwrap().remove(worktree.id())).flatten()
    }

    async fn creation(&self, request: Request) -> Result<Worktree> {
        let made = self.inner.create(request.clone()).await;
        match made {
            Err(Error::Occupied { what, problem, .. }) if self.has(OccupiedAsOther) => {
                Err(Error::Repository { path: what.to_string().into(), problem })
            }
            Err(Error::Occupied { .. }) if self.has(SecondWinner) => {
                let name = format!("second-{}", self.next());
                self.inner.create(Request { id: id(&name), head: Head::Branch(branch(&name)), ..request }).await
            }
            Err(e) if self.has(LoserLeavesBranch) => {
                let left = Request { id: id(&format!("left-{}", self.next())), ..request };
                drop(self.inner.create(left).await);
                Err(e)
            }
            Err(Error::Base { .. }) if self.has(BaseGuessed) => {
                self.inner.create(Request { base: Base::Head, ..request }).await
            }
            other => other,
        }
    }

    /// Changes the tree for the time of a capture.
    fn disguise(&self, tree: &Path) {
        let at = |path: &str| tree.join(path);
        match self.fault {
            Some(StrayWork) => write(&at("stray"), "x\n"),
            Some(NewFilesMissed) => drop(fs::rename(at("deep"), at("../deep"))),
            Some(OldContent) if at("file").exists() => write(&at("file"), "before\n"),
            Some(DeletionsMissed) if at("stays").exists() => write(&at("dir/gone"), "x\n"),
            Some(ModesLost) => drop(fs::set_permissions(at("run"), fs::Permissions::from_mode(0o644))),
            Some(LinksFollowed) if at("inside").exists() => {
                fs::remove_file(at("inside")).unwrap();
                write(&at("inside"), "x\n");
            }
            Some(IgnoredTaken) => drop(fs::remove_file(at(".gitignore"))),
            Some(AlwaysAnotherCommit) => write(&at("counter"), &self.next().to_string()),
            Some(EarlierWorkLost) if at("second").exists() => drop(fs::remove_file(at("first"))),
            Some(HalfCaptured) => drop(fs::rename(at("work"), at("../work"))),
            _ => {}
        }
    }

    fn undo(&self, tree: &Path) {
        let at = |path: &str| tree.join(path);
        match self.fault {
            Some(NewFilesMissed) => drop(fs::rename(at("../deep"), at("deep"))),
            Some(LinksFollowed) if at("inside").exists() => {
                fs::remove_file(at("inside")).unwrap();
                symlink("file", at("inside")).unwrap();
            }
            Some(HalfCaptured) => drop(fs::rename(at("../work"), at("work"))),
            Some(FilesRewritten) if at("work").exists() => write(&at("work"), "x\n"),
            _ => {}
        }
    }

    async fn ending(&self, handle: Worktree, disposition: Disposition) -> Result<Released> {
        let path = handle.path().to_owned();
        let kept = |why: Option<String>| {
            let by = if why.is_none() { Keeper::Request } else { Keeper::Work };
            Ok(Released::new(Fate::kept(&path, by, why)))
        };
        match (self.fault, disposition) {
            (Some(UncapturedLost), Disposition::Archive) => {
                let _ = fs::remove_file(path.join("left"));
                self.inner.release(handle, Disposition::Archive).await
            }
            (Some(NothingRescued), Disposition::Archive) => {
                write(&path.join("stray"), "x\n");
                self.inner.release(handle, Disposition::Archive).await
            }
            (Some(NotRescued), disposition) => {
                let mut released = self.inner.release(handle, disposition).await?;
                released.rescues.clear();
                Ok(released)
            }
            (Some(TreeLeft), Disposition::Archive) => {
                let released = self.inner.release(handle, Disposition::Archive).await;
                fs::create_dir(&path).unwrap();
                released
            }
            (Some(KeptAsOrphan), Disposition::Keep) => {
                drop(handle);
                kept(None)
            }
            (Some(MergedKept), Disposition::Merged { .. }) | (Some(DiscardKeeps), Disposition::Discard) => {
                self.inner.release(handle, Disposition::Keep).await
            }
            (Some(MergedBelieved), Disposition::Merged { .. }) => {
                let message = Message { text: "m".into(), name: "n".into(), email: "e".into() };
                let into = self.inner.capture(&handle, message).await?.tip;
                self.inner.release(handle, Disposition::Merged { into }).await
            }
            (Some(DiscardRemovesBranch), Disposition::Discard) => {
                self.inner.release(handle, Disposition::Archive).await
            }
            (_, disposition) => self.inner.release(handle, disposition).await,
        }
    }
}

#[async_trait]
impl WorktreeManager for Broken {
    async fn create(&self, mut request: Request) -> Result<Worktree> {
        if self.has(OneAtATime) {
            let others = self.creating.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if others > 0 {
                return Err(Error::Locked { path: "lock".into(), seconds: 0 });
            }
        }
        match (&self.fault, &request.head, &request.base) {
            (Some(WrongBranch), Head::Branch(name), _) => request.head = Head::Branch(branch(&format!("x-{name}"))),
            (Some(BranchForDetached), Head::Detached, _) => request.head = Head::Branch(branch("stray")),
            (Some(BranchLeftBehind), _, Base::Branch(_)) => request.base = Base::Head,
            _ => {}
        }
        let made = self.creation(request).await?;
        if self.has(MissingFile) {
            let _ = fs::remove_file(made.path().join("deep/file"));
        }
        if self.has(HalfCreated) {
            let id = made.id().clone();
            self.inner.release(made, Disposition::Keep).await?;
            tokio::task::yield_now().await;
            return self.inner.adopt(&id).map(|made| self.wrap(made));
        }
        Ok(self.wrap(made))
    }

    async fn capture(&self, worktree: &Worktree, message: Message) -> Result<Capture> {
        let Some(handle) = self.unwrap(worktree) else { return self.inner.capture(worktree, message).await };
        self.disguise(handle.path());
        if self.has(HalfCaptured) {
            // Its handle is lost too when this is dropped; what counts here is the tree.
            let path = handle.path().to_owned();
            self.handles.lock().unwrap().insert(handle.id().clone(), handle);
            tokio::task::yield_now().await;
            self.undo(&path);
            return self.inner.capture(&self.unwrap(worktree).expect("it was there"), message).await;
        }
        let capture = self.inner.capture(&handle, message).await;
        self.undo(handle.path());
        self.handles.lock().unwrap().insert(handle.id().clone(), handle);
        capture
    }

    async fn release(&self, worktree: Worktree, disposition: Disposition) -> Result<Released> {
        match self.unwrap(&worktree) {
            Some(handle) => self.ending(handle, disposition).await,
            None => self.inner.release(worktree, disposition).await,
        }
    }

    async fn list(&self) -> Result<Vec<Entry>> {
        let mut entries = self.inner.list().await?;
        if self.has(OrphansUnlisted) {
            entries.retain(|e| !matches!(e.owner, Owner::Hedgerow { state: State::Orphaned, .. }));
        }
        Ok(entries)
    }

    async fn recover(&self) -> Result<Recovery> {
        if self.has(NeverAdopts) {
            return Ok(Recovery::default());
        }
        if self.has(AdoptsTheLiving) {
            self.handles.lock().unwrap().clear();
        }
        let mut recovery = self.inner.recover().await?;
        recovery.adopted = recovery.adopted.into_iter().map(|adopted| self.wrap(adopted)).collect();
        if self.has(AlwaysMends) {
            recovery.mended.push(Mended::CreationUndone(id("one")));
        }
        Ok(recovery)
    }

    async fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport> {
        let nothing = || SafetyReport::new(id.clone());
        if self.has(InspectionCaptures) {
            let handle = self.handles.lock().unwrap().remove(id);
            if let Some(handle) = handle {
                let message = Message { text: "m".into(), name: "n".into(), email: "e".into() };
                self.inner.capture(&handle, message).await?;
                self.handles.lock().unwrap().insert(id.clone(), handle);
            }
        }
        match self.inner.inspect(id).await {
            Ok(_) if self.has(AlwaysSafe) => Ok(nothing()),
            Err(_) if self.has(NothingIsSafe) => Ok(nothing()),
            Ok(mut report) if self.has(NeverSafe) => {
                report.unknowns.push(Unknown::new("all", "nobody looked"));
                Ok(report)
            }
            other => other,
        }
    }

    async fn restore(&self, rescue: &Rescue, request: Request) -> Result<Worktree> {
        if self.has(RestoreTakesTheRescue) {
            self.next();
        }
        let base = if self.has(RestoresTheBase) { Base::Head } else { Base::Commit(rescue.commit.clone()) };
        match self.creation(Request { base, ..request.clone() }).await {
            Err(Error::Base { .. }) if self.has(RestoresAnything) => {
                self.create(Request { base: Base::Head, ..request }).await
            }
            made => made.map(|made| self.wrap(made)),
        }
    }

    async fn rescues(&self, id: &WorktreeId) -> Result<Vec<Rescue>> {
        if self.has(RestoreTakesTheRescue) && self.count.load(Ordering::SeqCst) > 0 {
            return Ok(Vec::new());
        }
        if self.has(RescuesForgotten) { Ok(Vec::new()) } else { self.inner.rescues(id).await }
    }
}
