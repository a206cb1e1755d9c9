//! A tree and a private git directory that were arranged to hurt whoever looks at them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use hedgerow_worktree::{Capture, GitAccess, Notice, WorktreeManager};

use super::{Lane, git_as, write};
use crate::repo::Repo;
use crate::view::fingerprint;

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn refused(capture: &Capture) -> String {
    let why = |notice: &Notice| match notice {
        Notice::HistoryRefused { why } => Some(why.clone()),
        _ => None,
    };
    capture.notices.iter().filter_map(why).collect::<Vec<_>>().join("\n")
}

/// A lane with a commit, a changed file, and something outside that must not change.
async fn lane() -> Lane {
    let repo = Repo::new();
    write(&repo.root().join("outside/secret"), "secret\n");
    let lane = Lane::new(repo, GitAccess::Private).await;
    lane.write("committed", "by the agent\n");
    lane.commit("inside");
    lane.write("dirty", "not committed\n");
    lane
}

/// Captures, and checks what must hold whatever was planted: the files are there and nothing else moved.
async fn survives(lane: &Lane, plant: &str) -> Capture {
    let outside = lane.repo.root().join("outside");
    let git = lane.repo.path().join(".git");
    let kept = |path: &Path| {
        let own = ["objects", "refs/heads/lane", "refs/hedgerow", "logs", "hedgerow"];
        !own.iter().any(|name| path.starts_with(git.join(name))) && !path.ends_with("refs/heads")
    };
    let state = || {
        let mut all = fingerprint(&git);
        all.retain(|path, _| kept(path));
        all.extend(fingerprint(&outside));
        all.extend(fingerprint(lane.tree()).into_iter().filter(|(path, _)| !path.ends_with("fifo")));
        all
    };
    let before = state();
    let capture = lane.capture().await;
    assert!(state() == before, "{plant}: something changed");
    let dirty = lane.repo.git(["show", &format!("{}:dirty", capture.tip)]);
    let committed = lane.repo.git(["show", &format!("{}:committed", capture.tip)]);
    assert_eq!((dirty.as_str(), committed.as_str()), ("not committed", "by the agent"), "{plant}");
    assert_eq!(lane.repo.git(["rev-parse", "lane"]), capture.tip.as_str(), "{plant}");
    lane.repo.git(["fsck", "--strict"]);
    capture
}

type Plant = (&'static str, fn(&Lane));

#[tokio::test]
async fn a_git_directory_that_cannot_be_trusted_costs_the_history_and_not_the_files() {
    let plants: [Plant; 16] = [
        ("HEAD is a symlink", |lane| swap(lane, "HEAD", |path| symlink("/etc/passwd", path).unwrap())),
        ("HEAD is a FIFO", |lane| swap(lane, "HEAD", fifo)),
        ("HEAD is huge", |lane| swap(lane, "HEAD", |path| File::create(path).unwrap().set_len(1 << 40).unwrap())),
        ("HEAD is a directory", |lane| swap(lane, "HEAD", |path| fs::create_dir(path).unwrap())),
        ("HEAD climbs out", |lane| swap(lane, "HEAD", |path| write(path, "ref: refs/../../../../HEAD\n"))),
        ("HEAD names itself", |lane| swap(lane, "HEAD", |path| write(path, "ref: refs/heads/x\n"))),
        ("HEAD is garbage", |lane| swap(lane, "HEAD", |path| write(path, [0xff; 40]))),
        ("the ref is a FIFO", |lane| swap(lane, "refs/heads/lane", fifo)),
        ("the ref is a symlink", |lane| swap(lane, "refs/heads/lane", |path| symlink("../../HEAD", path).unwrap())),
        ("refs is a symlink", |lane| {
            swap(lane, "refs/heads", |path| symlink("../../../../../refs/heads", path).unwrap());
        }),
        ("objects is a symlink", |lane| swap(lane, "objects", |path| symlink("../../../../objects", path).unwrap())),
        ("an object is a FIFO", |lane| loose(lane, "HEAD:committed", fifo)),
        ("an object is a symlink", |lane| loose(lane, "HEAD:committed", |path| symlink("/etc/passwd", path).unwrap())),
        ("an object has another content", |lane| loose(lane, "HEAD:committed", |path| deflated(path, b"blob 4\0evil"))),
        ("an object is a bomb", |lane| {
            let bomb = [b"blob 5\0".to_vec(), vec![0; 64 << 20]].concat();
            loose(lane, "HEAD:committed", |path| deflated(path, &bomb));
        }),
        ("an object says that it is huge", |lane| {
            loose(lane, "HEAD:committed", |path| deflated(path, b"blob 99999999999999\0x"));
        }),
    ];
    for (name, plant) in plants {
        let lane = lane().await;
        if name == "HEAD names itself" {
            write(&lane.view().join("refs/heads/x"), "ref: refs/heads/x\n");
        }
        plant(&lane);
        let capture = survives(&lane, name).await;
        assert_ne!(refused(&capture), "", "{name}");
        assert_eq!(lane.repo.git(["rev-parse", "lane^"]), lane.base(), "{name}");
    }
}

#[tokio::test]
async fn what_lies_beside_the_history_does_not_matter() {
    let plants: [Plant; 8] = [
        ("packed-refs is a FIFO", |lane| swap(lane, "packed-refs", fifo)),
        ("packed-refs is a symlink", |lane| swap(lane, "packed-refs", |path| symlink("/etc/passwd", path).unwrap())),
        ("packed-refs is huge", |lane| {
            swap(lane, "packed-refs", |path| File::create(path).unwrap().set_len(1 << 40).unwrap());
        }),
        ("another ref is a FIFO", |lane| fifo(&lane.view().join("refs/heads/other"))),
        ("the config runs programs", |lane| {
            let ran = lane.repo.root().join("outside/ran");
            let text = format!("[core]\n\tfsmonitor = touch {0}\n[filter \"x\"]\n\tclean = touch {0}\n", ran.display());
            swap(lane, "config", |path| write(path, text));
        }),
        ("the index is a FIFO", |lane| swap(lane, "index", fifo)),
        ("the log of the stash is a FIFO", |lane| {
            fs::create_dir_all(lane.view().join("logs/refs")).unwrap();
            fifo(&lane.view().join("logs/refs/stash"));
        }),
        ("the pack directory has a FIFO", |lane| fifo(&lane.view().join("objects/pack/pack-1.pack"))),
    ];
    for (name, plant) in plants {
        let lane = lane().await;
        let tip = lane.inside(["rev-parse", "HEAD"]);
        plant(&lane);
        let capture = survives(&lane, name).await;
        assert_eq!(lane.repo.git(["rev-parse", "lane^"]), tip, "{name}: {capture:#?}");
    }
}

#[tokio::test]
async fn objects_of_an_alternate_that_the_agent_named_are_not_taken() {
    let lane = lane().await;
    let other = Repo::new();
    other.write("stolen", "x");
    let stolen = other.commit("stolen");
    write(&lane.view().join("objects/info/alternates"), format!("{}\n", other.path().join(".git/objects").display()));
    write(&lane.view().join("HEAD"), format!("{stolen}\n"));
    let capture = survives(&lane, "alternates").await;
    assert!(refused(&capture).contains(&format!("object {stolen} is missing")), "{capture:#?}");
}

#[tokio::test]
async fn a_damaged_pack_is_refused() {
    for (name, damage) in [
        ("flipped", (|bytes| bytes[40] ^= 0x55) as fn(&mut Vec<u8>)),
        ("cut off", |bytes| bytes.truncate(60)),
        ("no pack", |bytes| bytes[0] = b'X'),
        ("too many objects", |bytes| bytes[8] = 0x7f),
        ("empty", Vec::clear),
    ] {
        let lane = lane().await;
        lane.inside(["gc", "-q", "--prune=now"]);
        let packs = lane.view().join("objects/pack");
        let pack = fs::read_dir(&packs).unwrap().map(|e| e.unwrap().path());
        let pack = pack.into_iter().find(|p| p.extension().is_some_and(|x| x == "pack")).unwrap();
        let mut bytes = fs::read(&pack).unwrap();
        damage(&mut bytes);
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, bytes).unwrap();
        let capture = survives(&lane, name).await;
        assert!(refused(&capture).contains("is damaged"), "{name}: {capture:#?}");
    }
}

#[tokio::test]
async fn a_tree_that_could_write_into_a_git_directory_is_refused() {
    let entries: [(&str, &[u8]); 9] = [
        ("100644", b".git"),
        ("40000", b".GIT"),
        ("100644", b"git~1"),
        ("40000", b".."),
        ("100644", b"a/b"),
        ("100644", b".g\xe2\x80\x8cit"),
        ("120000", b".gitmodules"),
        ("100666", b"mode"),
        ("100644", b"x\\.git"),
    ];
    for (mode, entry) in entries {
        let lane = lane().await;
        let object = if mode == "40000" { "HEAD^{tree}" } else { "HEAD:committed" };
        let id = lane.inside(["rev-parse", object]);
        let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let tree = literal(&lane, "tree", &[mode.as_bytes(), b" ", entry, b"\0", &raw].concat());
        let head = lane.inside(["rev-parse", "HEAD"]);
        let who = "A <a@b> 1700000000 +0000";
        let text = format!("tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\n\nevil\n");
        let commit = literal(&lane, "commit", text.as_bytes());
        write(&lane.view().join("refs/heads/lane"), format!("{commit}\n"));
        let name = String::from_utf8_lossy(entry).into_owned();
        let capture = survives(&lane, &name).await;
        assert!(refused(&capture).contains(&tree), "{name}: {capture:#?}");
        // Not even the objects got in.
        assert!(!crate::repo::try_git(lane.repo.path(), ["cat-file", "-e", &tree]).status.success(), "{name}");
    }
}

#[tokio::test]
async fn a_history_with_a_hole_is_refused() {
    let lane = lane().await;
    let head = lane.inside(["rev-parse", "HEAD"]);
    let who = "A <a@b> 1700000000 +0000";
    let tree = lane.inside(["rev-parse", "HEAD^{tree}"]);
    let hole = "1".repeat(40);
    let text = format!("tree {tree}\nparent {head}\nparent {hole}\nauthor {who}\ncommitter {who}\n\nhole\n");
    let commit = literal(&lane, "commit", text.as_bytes());
    write(&lane.view().join("refs/heads/lane"), format!("{commit}\n"));
    let capture = survives(&lane, "hole").await;
    assert!(refused(&capture).contains(&format!("object {hole} is missing")), "{capture:#?}");
}

#[tokio::test]
async fn a_tree_that_names_billions_of_paths_is_rescued_and_not_listed() {
    let lane = lane().await;
    let mut entry = ("100644", lane.inside(["rev-parse", "HEAD:committed"]));
    for _ in 0..12 {
        let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&entry.1[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let entries = (0..10).map(|n| [format!("{} {n}\0", entry.0).as_bytes(), &raw].concat());
        entry = ("40000", literal(&lane, "tree", &entries.collect::<Vec<_>>().concat()));
    }
    let commit = lane.inside(["commit-tree", &entry.1, "-p", "HEAD", "-m", "bomb"]);
    write(&lane.view().join("refs/heads/lane"), format!("{commit}\n"));
    let capture = survives(&lane, "bomb").await;
    assert!(refused(&capture).contains("too many paths"), "{capture:#?}");
    assert_eq!(capture.rescued.iter().map(|r| r.commit.as_str()).collect::<Vec<_>>(), [commit.as_str()]);
}

#[tokio::test]
async fn thousands_of_refs_are_bounded_and_named() {
    let lane = lane().await;
    let tree = lane.inside(["rev-parse", "HEAD^{tree}"]);
    let mut packed = String::new();
    for n in 0..100 {
        let commit = lane.inside(["commit-tree", &tree, "-m", &format!("line {n}")]);
        packed += &format!("{commit} refs/heads/real/{n}\n");
    }
    for n in 0..10_000 {
        packed += &format!("{n:040x} refs/heads/forged/{n}\n");
    }
    packed = packed.replacen(&format!("{:040x} refs/heads/forged/0\n", 0), "", 1);
    write(&lane.view().join("packed-refs"), packed);
    let capture = survives(&lane, "refs").await;
    assert_eq!(capture.rescued.len(), 64);
    assert!(capture.notices.len() <= 102, "{}", capture.notices.len());
    assert!(refused(&capture).contains("more lines of history"));
}

#[tokio::test]
async fn a_replaced_git_file_is_named_and_not_followed() {
    let plants: [Plant; 4] = [
        ("another repository", |lane| write(&lane.tree().join(".git"), "gitdir: /tmp/evil\n")),
        ("a symlink", |lane| {
            fs::remove_file(lane.tree().join(".git")).unwrap();
            symlink("/etc/passwd", lane.tree().join(".git")).unwrap();
        }),
        ("a FIFO", |lane| {
            fs::remove_file(lane.tree().join(".git")).unwrap();
            fifo(&lane.tree().join(".git"));
        }),
        ("a repository", |lane| {
            fs::remove_file(lane.tree().join(".git")).unwrap();
            crate::repo::git_in(lane.tree(), ["init", "-q"]);
            let ran = lane.repo.root().join("outside/ran");
            let command = format!("touch {}", ran.display());
            crate::repo::git_in(lane.tree(), ["config", "core.fsmonitor", &command]);
        }),
    ];
    for (name, plant) in plants {
        let lane = lane().await;
        plant(&lane);
        let capture = lane.capture().await;
        assert_eq!(capture.notices, [Notice::GitFileReplaced], "{name}");
        assert_eq!(lane.repo.git(["show", &format!("{}:dirty", capture.tip)]), "not committed", "{name}");
        assert!(!lane.repo.root().join("outside/ran").exists(), "{name}");
        lane.repo.git(["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn links_and_fifos_in_the_tree_lead_nowhere() {
    let lane = lane().await;
    let outside = lane.repo.root().join("outside");
    write(&outside.join("patterns"), "dirty\n");
    symlink(outside.join("patterns"), lane.tree().join(".gitignore")).unwrap();
    fs::remove_dir_all(lane.tree().join("src")).unwrap();
    symlink(&outside, lane.tree().join("src")).unwrap();
    fs::create_dir(lane.tree().join("sub")).unwrap();
    fifo(&lane.tree().join("sub/.gitignore"));
    fifo(&lane.tree().join("fifo"));
    let capture = survives(&lane, "links").await;
    let names = lane.repo.git(["ls-tree", "-r", "--name-only", capture.tip.as_str()]);
    assert_eq!(names.lines().collect::<Vec<_>>(), [".gitignore", "README", "committed", "dirty", "src"]);
    assert_eq!(capture.notices.len(), 2, "{capture:#?}");
}

#[tokio::test]
async fn a_gitlink_that_the_agent_committed_is_reported() {
    let lane = lane().await;
    let commit = lane.inside(["rev-parse", "HEAD"]);
    lane.inside(["update-index", "--add", "--cacheinfo", &format!("160000,{commit},inner")]);
    lane.inside(["commit", "-q", "-m", "gitlink"]);
    fs::create_dir(lane.tree().join("inner")).unwrap();
    let capture = survives(&lane, "gitlink").await;
    assert_eq!(capture.notices, [Notice::NestedRepository { path: "inner".into() }]);
}

#[tokio::test]
async fn patterns_that_take_for_ever_do_not() {
    let lane = lane().await;
    let stars = format!("{}b\n", "*a".repeat(60));
    let deep = format!("{}b\n", "**/a/".repeat(60));
    let long = "a".repeat(250);
    lane.write(".gitignore", format!("{stars}{deep}{}", "[".repeat(1000)));
    lane.write(&format!("{}{long}", "a/".repeat(100)), "deep\n");
    lane.write(&long, "long\n");
    let capture = survives(&lane, "patterns").await;
    assert_eq!((capture.files, capture.notices.len()), (5, 0), "{capture:#?}");
}

#[tokio::test]
async fn without_isolation_a_damaged_head_costs_the_history_and_not_the_files() {
    for plant in [(|path| fifo(path)) as fn(&Path), |path| symlink("/etc/passwd", path).unwrap()] {
        let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
        lane.write("dirty", "not committed\n");
        let head = lane.repo.path().join(".git/worktrees").join(admin(&lane)).join("HEAD");
        fs::remove_file(&head).unwrap();
        plant(&head);
        let capture = lane.capture().await;
        assert!(refused(&capture).starts_with("HEAD is a "), "{capture:#?}");
        assert_eq!(lane.tree_of(capture.tip.as_str()), lane.expected(lane.base()));
    }
}

#[tokio::test]
async fn without_isolation_a_branch_that_is_no_file_is_an_error() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    let reference = lane.repo.path().join(".git/refs/heads/lane");
    fs::remove_file(&reference).unwrap();
    fifo(&reference);
    let error = lane.manager.capture(&lane.worktree, super::message()).await.unwrap_err();
    assert!(error.to_string().contains("refs/heads/lane is a FIFO"), "{error}");
}

/// The name of the lane's admin directory.
fn admin(lane: &Lane) -> String {
    let file = fs::read_to_string(lane.tree().join(".git")).unwrap();
    Path::new(file.trim_end()).file_name().unwrap().to_str().unwrap().to_owned()
}

/// Replaces a file of the private git directory.
fn swap(lane: &Lane, name: &str, plant: impl FnOnce(&Path)) {
    let path = lane.view().join(name);
    if path.is_dir() {
        fs::rename(&path, path.with_extension("old")).unwrap();
    } else {
        let _ = fs::remove_file(&path);
    }
    plant(&path);
}

/// Replaces a loose object of the private git directory.
fn loose(lane: &Lane, revision: &str, plant: impl FnOnce(&Path)) {
    let id = lane.inside(["rev-parse", revision]);
    swap(lane, &format!("objects/{}/{}", &id[..2], &id[2..]), plant);
}

fn deflated(path: &Path, bytes: &[u8]) {
    let compression = gix::zlib::Compression::BEST_SPEED;
    let mut out = gix::zlib::stream::deflate::Write::new(File::create(path).unwrap(), compression);
    out.write_all(bytes).unwrap();
    out.flush().unwrap();
}

/// Stores an object that git would not make.
fn literal(lane: &Lane, kind: &str, bytes: &[u8]) -> String {
    let file = lane.repo.root().join("literal");
    fs::write(&file, bytes).unwrap();
    let path = file.to_str().unwrap();
    git_as(&lane.view(), lane.tree(), ["hash-object", "-t", kind, "--literally", "-w", path])
}
