//! All worktrees are listed, whoever made them and however damaged their entries are.

use hedgerow_worktree::{Disposition, Entry, Owner, State, WorktreeManager};

use crate::repo::{Repo, branch, id, request, write};

fn of<'a>(entries: &'a [Entry], name: &str) -> &'a Entry {
    entries.iter().find(|e| e.path.ends_with(name)).unwrap_or_else(|| panic!("{name} is not in {entries:?}"))
}

#[tokio::test]
async fn ours_and_foreign_worktrees_are_listed_with_their_state() {
    let repo = Repo::new();
    let manager = repo.manager();
    let leased = manager.create(request("leased")).await.unwrap();
    drop(manager.create(request("orphaned")).await.unwrap());
    let kept = manager.create(request("kept")).await.unwrap();
    manager.release(kept, Disposition::Keep).await.unwrap();
    repo.git(["worktree", "add", "-q", "-b", "theirs", repo.root().join("theirs").to_str().unwrap()]);
    let detached = repo.root().join("detached");
    repo.git(["worktree", "add", "-q", "--detach", "--lock", "--reason", "mine", detached.to_str().unwrap()]);

    let entries = manager.list().await.unwrap();
    assert_eq!(entries.len(), 5, "{entries:?}");
    for (name, state) in [("leased", State::Leased), ("orphaned", State::Orphaned), ("kept", State::Kept)] {
        let entry = of(&entries, name);
        assert_eq!(entry.owner, Owner::Hedgerow { id: id(name), state });
        assert_eq!(entry.branch, Some(branch(name)));
        assert_eq!(entry.problem, None);
        assert!(entry.locked.as_ref().unwrap().starts_with("hedgerow worktree "));
    }
    let theirs = of(&entries, "theirs");
    assert_eq!((&theirs.owner, &theirs.locked), (&Owner::Foreign, &None));
    assert_eq!(theirs.branch, Some(branch("theirs")));
    let detached = of(&entries, "detached");
    assert_eq!(detached.locked.as_deref(), Some("mine"));
    assert_eq!((&detached.branch, &detached.problem), (&None, &None));
    assert!(entries.iter().all(|e| e.head.as_ref() == Some(&repo.head())), "{entries:?}");
    drop(leased);
}

#[tokio::test]
async fn every_half_built_entry_is_reported_and_none_is_fatal() {
    let repo = Repo::new();
    let manager = repo.manager();
    let _ours = manager.create(request("ours")).await.unwrap();
    let admins = repo.path().join(".git/worktrees");
    let zero = format!("{}\n", "0".repeat(40));
    let head = format!("{}\n", repo.head());
    let gitdir = format!("{}\n", repo.root().join("absent/.git").display());
    let complete = [("gitdir", gitdir.as_str()), ("commondir", "../..\n"), ("HEAD", head.as_str())];
    let but = |file: &str, content: Option<&str>| {
        let mut files: Vec<(String, String)> =
            complete.iter().filter(|(name, _)| *name != file).map(|(n, c)| (n.to_string(), c.to_string())).collect();
        files.extend(content.map(|content| (file.to_owned(), content.to_owned())));
        files
    };
    let states = [
        ("01-empty", Vec::new()),
        ("02-locked", vec![("locked".to_owned(), "initializing\n".to_owned())]),
        ("03-gitdir", vec![("gitdir".to_owned(), gitdir.clone())]),
        ("04-empty-commondir", but("commondir", Some(""))),
        ("05-no-head", but("HEAD", None)),
        ("06-null-head", but("HEAD", Some(&zero))),
        ("09-no-tree", but("", None)),
        ("13-no-commondir", but("commondir", None)),
        ("14-empty-head", but("HEAD", Some(""))),
        ("15-empty-gitdir", but("gitdir", Some(""))),
        ("16-nul-gitdir", but("gitdir", Some("/a\0/.git"))),
    ];
    for (name, files) in &states {
        std::fs::create_dir_all(admins.join(name)).unwrap();
        for (file, content) in files {
            write(&admins.join(name).join(file), content);
        }
    }
    let entries = manager.list().await.unwrap();
    assert_eq!(entries.len(), states.len() + 1, "{entries:?}");
    for entry in entries.iter().filter(|entry| entry.owner == Owner::Foreign) {
        assert!(entry.problem.is_some(), "{entry:?} looks whole");
    }
    let _more = manager.create(request("more")).await.unwrap();
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.adopted.is_empty() && recovery.left.is_empty(), "{recovery:?}");
    for (name, _) in &states {
        assert!(admins.join(name).exists(), "{name} was touched");
    }
}

#[tokio::test]
async fn an_agents_tricks_in_its_admin_directory_are_seen_and_not_followed() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let admins = repo.path().join(".git/worktrees");
    let admin = std::fs::read_dir(&admins).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(admin.join("HEAD")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(admin.join("HEAD")).status().unwrap().success());
    std::fs::write(admin.join("gitdir"), "/etc/.git\n").unwrap();
    std::fs::remove_file(admin.join("locked")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", admin.join("locked")).unwrap();
    let entries = manager.list().await.unwrap();
    let entry = of(&entries, "fix");
    assert_eq!(entry.path, worktree.path(), "the path is ours, not what the entry claims");
    assert!(entry.problem.is_some());
    assert_eq!(entry.locked.as_deref(), Some(""), "the target of a symlink was read");
}
