//! What an agent with direct access does to the rest of the repository is found, told, and put back where that is exact.

use std::os::unix::fs::{PermissionsExt, symlink};

use hedgerow_worktree::{
    Disposition, LocalWorktrees, Worktree, WorktreeId, WorktreeManager,
    guard::{Change, Fingerprint, Loss, Repair, What},
};

use crate::repo::{Repo, git_in, id, request, try_git, write};

/// A repository, a worktree that an agent works in, and the shared state before it began.
struct Case {
    repo: Repo,
    manager: LocalWorktrees,
    worktree: Worktree,
    before: Fingerprint,
}

impl Case {
    async fn new(repo: Repo) -> Self {
        let manager = repo.manager();
        let worktree = manager.create(request("agent")).await.unwrap();
        let before = manager.fingerprint().await.unwrap();
        Self { repo, manager, worktree, before }
    }

    /// Runs git as the agent does.
    fn agent(&self, args: &[&str]) -> String {
        git_in(self.worktree.path(), args)
    }

    async fn changes(&self) -> Vec<Change> {
        self.manager.changes_since(&self.before, &[id("agent")]).await.unwrap()
    }

    async fn repair(&self, change: &Change) -> Repair {
        self.manager.repair(&self.before, change, &id("agent")).await.unwrap()
    }

    /// The one change that there is.
    async fn only(&self) -> Change {
        let changes = self.changes().await;
        let [change] = &changes[..] else { panic!("{changes:#?}") };
        change.clone()
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.repo.path().join(".git/config")).unwrap()
    }
}

fn is_restored(repair: &Repair) -> bool {
    matches!(repair, Repair::Restored { .. })
}

#[tokio::test]
async fn what_a_task_does_with_its_own_branch_is_expected() {
    let case = Case::new(Repo::new()).await;
    write(&case.worktree.path().join("work"), "x\n");
    case.agent(&["add", "-A"]);
    case.agent(&["commit", "-q", "-m", "work"]);
    case.agent(&["config", "branch.agent.description", "its own"]);
    write(&case.worktree.path().join("more"), "y\n");
    assert_eq!(case.changes().await, []);
    let released = case.manager.release(case.worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.rescues.len(), 1);
    let other = case.manager.create(request("later")).await.unwrap();
    git_in(other.path(), ["commit", "-q", "--allow-empty", "-m", "goes on"]);
    assert_eq!(case.manager.changes_since(&case.before, &[id("agent")]).await.unwrap(), []);
}

#[tokio::test]
async fn worktrees_that_come_and_go_meanwhile_are_expected() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mut others = Vec::new();
    for name in ["archived", "kept", "empty", "goes-on"] {
        others.push(manager.create(request(name)).await.unwrap());
    }
    let case = Case::new(repo).await;
    for other in &others {
        if other.id().as_str() != "empty" {
            git_in(other.path(), ["commit", "-q", "--allow-empty", "-m", "work"]);
        }
    }
    let _going_on = others.pop();
    for other in others {
        let kept = other.id().as_str() == "kept";
        let disposition = if kept { Disposition::Keep } else { Disposition::Archive };
        case.manager.release(other, disposition).await.unwrap();
    }
    let _new = case.manager.create(request("new")).await.unwrap();
    drop(case.manager.create(request("orphaned")).await.unwrap());
    assert_eq!(case.changes().await, []);
}

/// F13: one command in a linked worktree makes the main checkout unusable.
#[tokio::test]
async fn a_core_bare_that_an_agent_leaves_behind_is_taken_back() {
    let case = Case::new(Repo::new()).await;
    let config = case.config();
    case.agent(&["config", "core.bare", "true"]);
    case.agent(&["config", "core.worktree", "/nowhere"]);
    assert!(!try_git(case.repo.path(), ["status"]).status.success(), "this does no harm");
    let change = case.only().await;
    assert!(change.is_dangerous());
    assert_eq!(
        change.to_string(),
        "config: core.bare was changed from \"false\" to \"true\"; core.worktree was set to \"/nowhere\""
    );
    let Repair::Restored { aside: Some(aside) } = case.repair(&change).await else { panic!() };
    assert!(aside.starts_with(case.manager.state_dir()), "{aside:?}");
    assert!(std::fs::read_to_string(aside).unwrap().contains("/nowhere"));
    assert_eq!(case.config(), config);
    assert_eq!(case.changes().await, []);
    case.repo.assert_sound();
}

/// F14: where hooks are looked for is the same for everybody.
#[tokio::test]
async fn a_hooks_path_is_taken_back_and_what_a_person_configured_meanwhile_stays() {
    let case = Case::new(Repo::new()).await;
    case.agent(&["config", "core.hooksPath", "/tmp/evil"]);
    case.agent(&["config", "--add", "credential.helper", "!steal secret-token"]);
    case.agent(&["config", "filter.x.clean", "evil"]);
    case.repo.git(["config", "user.email", "me@example.com"]);
    let change = case.only().await;
    let Change::Config { dangerous, harmless, .. } = &change else { panic!("{change:?}") };
    assert_eq!((dangerous.len(), harmless.len()), (3, 1), "{change}");
    assert!(!change.to_string().contains("secret-token"), "{change}");
    assert!(is_restored(&case.repair(&change).await));
    let config = case.config();
    assert!(!config.contains("evil") && !config.contains("steal"), "{config}");
    assert_eq!(case.repo.git(["config", "user.email"]), "me@example.com");
    let [rest] = &case.changes().await[..] else { panic!() };
    assert!(!rest.is_dangerous());
    assert_eq!(rest.to_string(), "config: user.email was set");
}

#[tokio::test]
async fn a_configuration_that_changed_again_is_not_overwritten() {
    let case = Case::new(Repo::new()).await;
    case.agent(&["config", "core.bare", "true"]);
    let change = case.only().await;
    case.agent(&["config", "user.name", "somebody"]);
    let config = case.config();
    assert!(matches!(case.repair(&change).await, Repair::Left { .. }));
    assert_eq!(case.config(), config);
    assert!(is_restored(&case.repair(&case.only().await).await));
    assert_eq!(case.repo.git(["config", "core.bare"]), "false");
}

#[tokio::test]
async fn a_configuration_that_git_cannot_read_or_find_is_put_back() {
    for damage in [Some("[core\nbroken"), None] {
        let case = Case::new(Repo::new()).await;
        let (path, config) = (case.repo.path().join(".git/config"), case.config());
        match damage {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let changes = case.changes().await;
        let change = changes.iter().find(|change| matches!(change, Change::ConfigBroken { .. })).unwrap();
        assert!(change.is_dangerous());
        assert!(is_restored(&case.repair(change).await));
        assert_eq!(case.config(), config);
        assert_eq!(case.changes().await, []);
        case.repo.assert_sound();
    }
}

#[tokio::test]
async fn a_planted_hook_goes_to_the_quarantine_and_others_come_back() {
    let repo = Repo::new();
    let hooks = repo.path().join(".git/hooks");
    let (mine, theirs) = (hooks.join("pre-push"), hooks.join("commit-msg"));
    for hook in [&mine, &theirs] {
        write(hook, "#!/bin/sh\nexit 0\n");
        std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let case = Case::new(repo).await;
    let planted = hooks.join("post-checkout");
    write(&planted, "#!/bin/sh\nevil\n");
    write(&mine, "#!/bin/sh\nworse\n");
    std::fs::remove_file(&theirs).unwrap();
    let changes = case.changes().await;
    assert_eq!(changes.len(), 3, "{changes:#?}");
    for change in &changes {
        assert!(change.is_dangerous() && is_restored(&case.repair(change).await), "{change}");
    }
    assert!(!planted.exists());
    for hook in [&mine, &theirs] {
        assert_eq!(std::fs::read_to_string(hook).unwrap(), "#!/bin/sh\nexit 0\n");
        assert_eq!(hook.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }
    let quarantine = case.manager.state_dir().join("quarantine");
    let kept: Vec<_> =
        std::fs::read_dir(quarantine).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    assert!(kept.contains(&b"#!/bin/sh\nevil\n".to_vec()) && kept.contains(&b"#!/bin/sh\nworse\n".to_vec()));
    assert_eq!(case.changes().await, []);
}

#[tokio::test]
async fn what_a_repair_took_away_has_a_note_that_says_from_where_and_why() {
    let case = Case::new(Repo::new()).await;
    let planted = case.repo.path().join(".git/hooks/post-checkout");
    write(&planted, "#!/bin/sh\nevil\n");
    case.agent(&["config", "core.hooksPath", "/nowhere"]);
    let config = case.config();
    let changes = case.changes().await;
    assert_eq!(changes.len(), 2, "{changes:#?}");
    for (change, from) in changes.iter().zip(["config", "hooks/post-checkout"]) {
        let Repair::Restored { aside: Some(aside) } = case.repair(change).await else { panic!("{change}") };
        let note = std::fs::read_to_string(format!("{}.note", aside.display())).unwrap();
        let from = case.repo.path().join(".git").join(from);
        assert!(note.starts_with(&format!("from: {}\nwhy: ", from.display())), "{note}");
        let kept = std::fs::read_to_string(&aside).unwrap();
        assert!(kept == config || kept.contains("evil"), "{kept}");
    }
    assert_eq!(case.changes().await, []);
}

#[tokio::test]
async fn no_repair_writes_through_a_symlink() {
    let case = Case::new(Repo::new()).await;
    let (info, outside) = (case.repo.path().join(".git/info"), case.repo.root().join("outside"));
    std::fs::rename(&info, &outside).unwrap();
    symlink(&outside, &info).unwrap();
    std::fs::remove_file(outside.join("exclude")).unwrap();
    let change = case.only().await;
    assert!(matches!(case.repair(&change).await, Repair::Left { .. }), "{change}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);

    let config = case.repo.path().join(".git/config");
    let other = case.repo.root().join("other");
    std::fs::rename(&config, &other).unwrap();
    symlink(&other, &config).unwrap();
    let changes = case.changes().await;
    let change = changes.iter().find(|change| matches!(change, Change::ConfigBroken { .. })).unwrap();
    assert!(matches!(case.repair(change).await, Repair::Left { .. }));
    assert!(config.is_symlink() && other.exists());
}

#[tokio::test]
async fn attributes_and_patterns_become_what_they_were() {
    let case = Case::new(Repo::new()).await;
    let info = case.repo.path().join(".git/info");
    let exclude = std::fs::read_to_string(info.join("exclude")).unwrap();
    write(&info.join("exclude"), "*\n");
    write(&info.join("attributes"), "* filter=evil\n");
    let changes = case.changes().await;
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["info/attributes was added", "info/exclude was changed"]);
    for change in &changes {
        assert!(is_restored(&case.repair(change).await));
    }
    assert_eq!(std::fs::read_to_string(info.join("exclude")).unwrap(), exclude);
    assert!(!info.join("attributes").exists());
}

#[tokio::test]
async fn a_branch_that_an_agent_deletes_or_rewinds_is_not_lost() {
    let repo = Repo::new();
    let first = repo.head();
    let work = repo.commit("somebody's work");
    repo.git(["branch", "theirs"]);
    repo.git(["branch", "forced"]);
    repo.git(["branch", "ahead", first.as_str()]);
    let case = Case::new(repo).await;
    case.agent(&["branch", "-D", "theirs"]);
    case.agent(&["update-ref", "refs/heads/forced", first.as_str()]);
    case.agent(&["update-ref", "refs/heads/ahead", work.as_str()]);
    let changes = case.changes().await;
    let of = |wanted: &str| {
        let is = |change: &&Change| matches!(change, Change::Ref { name, .. } if name.ends_with(wanted));
        changes.iter().find(is).unwrap_or_else(|| panic!("{changes:#?}"))
    };
    assert_eq!(changes.len(), 3, "{changes:#?}");
    assert!(of("theirs").is_dangerous() && of("forced").is_dangerous() && !of("ahead").is_dangerous());
    assert!(is_restored(&case.repair(of("theirs")).await));
    assert_eq!(case.repo.git(["rev-parse", "theirs"]), work.as_str());
    let Repair::Rescued(rescue) = case.repair(of("forced")).await else { panic!() };
    assert_eq!(rescue.commit, work);
    assert_eq!(case.repo.git(["rev-parse", "forced"]), first.as_str());
    assert_eq!(case.manager.rescues(&id("agent")).await.unwrap(), [rescue]);
}

/// F12: the stash is one stack for all worktrees.
#[tokio::test]
async fn a_stash_that_an_agent_pops_is_put_under_a_rescue_ref() {
    let repo = Repo::new();
    repo.write("README", "uncommitted\n");
    repo.git(["stash", "push", "-q", "-m", "mine"]);
    let mine = repo.git(["rev-parse", "stash@{0}"]);
    let case = Case::new(repo).await;
    write(&case.worktree.path().join("README"), "of the agent\n");
    case.agent(&["stash", "push", "-q"]);
    let theirs = case.agent(&["rev-parse", "stash@{0}"]);
    case.agent(&["stash", "drop", "-q", "stash@{1}"]);
    let changes = case.changes().await;
    let wanted = [Change::StashDropped { commit: mine.clone() }, Change::StashPushed { commit: theirs }];
    assert_eq!(changes, wanted);
    assert!(changes[0].is_dangerous() && !changes[1].is_dangerous());
    let Repair::Rescued(rescue) = case.repair(&changes[0]).await else { panic!() };
    assert_eq!(rescue.commit.as_str(), mine);
    assert_eq!(case.repo.git(["show", &format!("{}:README", rescue.reference)]), "uncommitted");
    case.repo.assert_sound();
}

#[tokio::test]
async fn what_is_gone_with_its_objects_is_told_to_be_gone() {
    let repo = Repo::new();
    repo.git(["checkout", "-q", "--orphan", "lonely"]);
    repo.commit("lonely");
    repo.git(["checkout", "-q", "main"]);
    let case = Case::new(repo).await;
    case.agent(&["branch", "-D", "-q", "lonely"]);
    case.agent(&["reflog", "expire", "--expire=now", "--all"]);
    case.agent(&["gc", "-q", "--prune=now"]);
    let change = case.only().await;
    let Repair::Left { why } = case.repair(&change).await else { panic!() };
    assert!(why.contains("gone"), "{why}");
}

/// F15: an agent writes with absolute paths, or in the wrong directory.
#[tokio::test]
async fn edits_that_leak_into_the_main_checkout_are_found_and_left_alone() {
    let repo = Repo::new();
    repo.write(".gitignore", "/build\n");
    repo.commit("ignore");
    repo.write("draft", "a person's\n");
    repo.write("notes", "a person's too\n");
    let case = Case::new(repo).await;
    let main = case.repo.path();
    write(&main.join("README"), "leaked\n");
    write(&main.join("build/out"), "ignored\n");
    write(&main.join("new"), "leaked\n");
    write(&main.join("draft"), "overwritten\n");
    std::fs::remove_file(main.join("src/main.rs")).unwrap();
    case.repo.git(["add", "notes"]);
    let changes = case.changes().await;
    let edited = |path: &str, what, loss| Change::Edited { path: path.into(), what, loss };
    let wanted = [
        Change::Index,
        edited("README", What::Changed, Loss::Nothing),
        edited("draft", What::Changed, Loss::Work),
        edited("new", What::Added, Loss::Nothing),
        edited("src/main.rs", What::Removed, Loss::Nothing),
    ];
    assert_eq!(changes, wanted);
    for change in &changes {
        assert!(matches!(case.repair(change).await, Repair::Left { .. }), "{change}");
    }
    assert_eq!(std::fs::read_to_string(main.join("draft")).unwrap(), "overwritten\n");
}

#[tokio::test]
async fn looking_at_the_main_checkout_and_committing_in_it_is_no_loss() {
    let repo = Repo::new();
    repo.write("README", "about to be committed\n");
    let case = Case::new(repo).await;
    case.repo.git(["status"]);
    assert_eq!(case.changes().await, []);
    std::fs::File::options()
        .append(true)
        .open(case.repo.path().join("src/main.rs"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    assert_eq!(case.changes().await, [], "a file that was only touched");
    case.repo.commit("a person's commit");
    let changes = case.changes().await;
    assert!(changes.iter().all(|change| !change.is_dangerous()), "{changes:#?}");
    assert!(changes.iter().any(|change| matches!(change, Change::Ref { name, .. } if name == "refs/heads/main")));
}

#[tokio::test]
async fn worktrees_that_an_agent_removes_or_unlocks_are_named() {
    let repo = Repo::new();
    let manager = repo.manager();
    let other = manager.create(request("other")).await.unwrap();
    let kept = manager.create(request("kept")).await.unwrap();
    write(&other.path().join("work"), "uncommitted\n");
    let foreign = repo.root().join("foreign");
    repo.git(["worktree", "add", "-q", "--detach", foreign.to_str().unwrap()]);
    let case = Case::new(repo).await;
    case.agent(&["worktree", "remove", "--force", "--force", other.path().to_str().unwrap()]);
    case.agent(&["worktree", "unlock", kept.path().to_str().unwrap()]);
    std::fs::remove_dir_all(&foreign).unwrap();
    case.agent(&["worktree", "prune", "--expire=now"]);
    case.agent(&["worktree", "add", "-q", "--detach", case.repo.root().join("own").to_str().unwrap()]);
    let changes = case.changes().await;
    let gone = |owner: Option<WorktreeId>| {
        changes.iter().any(|change| matches!(change, Change::EntryGone { owner: found, .. } if *found == owner))
    };
    assert!(gone(Some(id("other"))) && gone(None), "{changes:#?}");
    assert!(changes.iter().any(|change| matches!(change, Change::EntryAdded { .. })));
    let unlocked = changes.iter().find(|change| matches!(change, Change::Unlocked { .. })).unwrap();
    assert!(unlocked.is_dangerous() && is_restored(&case.repair(unlocked).await));
    let listed = case.repo.git(["worktree", "list", "--porcelain"]);
    assert!(listed.contains("locked hedgerow worktree kept: leased"), "{listed}");
    assert_eq!(changes.len(), 4, "{changes:#?}");
}

#[tokio::test]
async fn everything_that_an_agent_may_do_at_once_is_found_and_a_fingerprint_can_be_stored() {
    let repo = Repo::new();
    repo.write("README", "stashed\n");
    repo.git(["stash", "push", "-q"]);
    repo.git(["branch", "other"]);
    let case = Case::new(repo).await;
    case.agent(&["branch", "-D", "-q", "other"]);
    case.agent(&["stash", "drop", "-q"]);
    case.agent(&["update-ref", "refs/heads/new", "HEAD"]);
    case.agent(&["worktree", "prune"]);
    case.agent(&["-C", case.repo.path().to_str().unwrap(), "checkout", "-q", "--detach"]);
    write(&case.repo.path().join(".git/hooks/pre-commit"), "evil\n");
    write(&case.repo.path().join("README"), "leaked\n");
    case.agent(&["config", "core.bare", "true"]);
    let text = serde_json::to_string(&case.before).unwrap();
    let before: Fingerprint = serde_json::from_str(&text).unwrap();
    let changes = case.manager.changes_since(&before, &[id("agent")]).await.unwrap();
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    for part in
        ["core.bare", "pre-commit was added", "refs/heads/other moved", "refs/heads/new moved", "stash lost", "HEAD of"]
    {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
    assert!(lines.contains(&"README in the main checkout was changed".to_owned()), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains('\n')));
    for change in changes.iter().filter(|change| change.is_dangerous()) {
        let repair = manager_repair(&case, &before, change).await;
        assert!(!matches!(repair, Repair::Left { .. }), "{change}: {repair:?}");
    }
    assert!(
        case.changes()
            .await
            .iter()
            .all(|change| !change.is_dangerous() || matches!(change, Change::StashDropped { .. }))
    );
    case.repo.assert_sound();
}

async fn manager_repair(case: &Case, before: &Fingerprint, change: &Change) -> Repair {
    case.manager.repair(before, change, &id("agent")).await.unwrap()
}
