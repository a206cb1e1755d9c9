//! What the repository has, lacks, or cannot take.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use hedgerow_merge::{Checkout, Error, Landing, MergeCommit, MergeStrategy, Prepared, Repository};

use crate::baseline::compare;
use crate::scene::{Scene, git};

#[test]
fn files_that_git_calls_big_are_merged_by_lines_as_in_git() {
    let scene = Scene::forked("seq 9000 >f", "sed -i 's/^2$/x/' f", "sed -i 's/^8000$/y/' f");
    scene.git(&["config", "core.bigFileThreshold", "1k"]);
    for (target, change) in [("main", "change"), ("change", "main")] {
        compare(&scene, target, change).unwrap();
    }
    assert!(matches!(scene.prepare("main", "change"), Prepared::Candidate(_)));
}

#[test]
fn a_tree_of_a_hundred_thousand_files_merges_as_in_git() {
    let scene = Scene::forked("seq 20 >f", "true", "true");
    let blob = scene.git(&["rev-parse", "main:f"]);
    let [x, y] = ["x", "y"].map(|text| {
        fs::write(scene.beside(text), text).unwrap();
        scene.git(&["hash-object", "-w", scene.beside(text).to_str().unwrap()])
    });
    let commit = |parent: &str, edits: &[(u32, &str)]| {
        let mut child = Command::new("git")
            .args(["-c", "core.fsync=none", "update-index", "--index-info"])
            .current_dir(scene.path())
            .env("GIT_INDEX_FILE", scene.beside("index"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = String::new();
        for n in 0..100_000_u32 {
            let id = edits.iter().find(|(edited, _)| *edited == n).map_or(blob.as_str(), |(_, id)| id);
            lines.push_str(&format!("100644 {id}\td{}/e{}/f{n}\n", n / 10_000, n / 100));
        }
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        let mut command = Command::new("git");
        command.arg("write-tree").env("GIT_INDEX_FILE", scene.beside("index")).current_dir(scene.path());
        let tree = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let parents: &[&str] = if parent.is_empty() { &[] } else { &["-p", parent] };
        scene.git(&[&["commit-tree", "-m", "many", tree.trim()], parents].concat())
    };
    let base = commit("", &[]);
    for (branch, edits) in [("main", [(5, x.as_str()), (50_000, &x)]), ("change", [(99_999, &y), (50_001, &y)])] {
        let tip = commit(&base, &edits);
        scene.git(&["update-ref", &format!("refs/heads/{branch}"), &tip]);
    }
    for (target, change) in [("main", "change"), ("change", "main")] {
        compare(&scene, target, change).unwrap();
    }
}

#[test]
fn a_damaged_object_is_an_error_where_git_fails_and_the_target_stays() {
    for damaged in ["change:f", "change^{tree}", "main:f", "main~1:f", "change"] {
        let scene = Scene::simple();
        let (target, change) = (scene.target("main"), scene.change("change"));
        let id = scene.git(&["rev-parse", damaged]);
        let object = scene.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
        scene.sh(&format!("chmod u+w {}", object.display()));
        let mut bytes = fs::read(&object).unwrap();
        let middle = bytes.len() / 2;
        bytes.truncate(middle);
        fs::write(&object, &bytes).unwrap();
        let tips = [target.expected.as_str(), change.tip.as_str()];
        assert!(!scene.git_ok(&["merge-tree", "--write-tree", tips[0], tips[1]]), "{damaged}");
        let result = MergeCommit.prepare(&scene.open(), &target, &change);
        assert!(result.is_err(), "{damaged}: {result:?}");
        assert_eq!(scene.git(&["rev-parse", "refs/heads/main"]), target.expected.to_string());
    }
}

#[test]
fn a_partial_clone_that_lacks_a_file_fetches_nothing_and_says_what_will() {
    let scene = Scene::forked("seq 20 >f; seq 9 >g", "sed -i 's/^2$/x/' f", "sed -i 's/^18$/y/' f");
    scene.git(&["config", "uploadpack.allowFilter", "true"]);
    scene.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let partial = scene.beside("partial.git");
    let url = format!("file://{}", scene.path().display());
    git(&scene.path(), &["clone", "-q", "--bare", "--filter=blob:none", &url, partial.to_str().unwrap()]);
    let repository = Repository::open(&partial).unwrap();
    let (target, change) = (scene.target("main"), scene.change("change"));
    let before = git(&partial, &["count-objects", "-v"]);
    let fallback = crate::fallback::git();
    // git's own program is not let out either.
    for repository in [repository.clone(), repository.clone().with_fallback(fallback.beyond(0))] {
        assert!(MergeCommit.prepare(&repository, &target, &change).is_err());
        assert_eq!(git(&partial, &["count-objects", "-v"]), before);
    }
    let error = MergeCommit.prepare(&repository, &target, &change).unwrap_err();
    assert!(matches!(&error, Error::Object { problem, .. } if problem.contains("git merge-tree")), "{error}");
    // The way out that it names is one.
    let tree = git(&partial, &["merge-tree", "--write-tree", "main", "change"]);
    let Prepared::Candidate(candidate) = MergeCommit.prepare(&repository, &target, &change).unwrap() else { panic!() };
    assert_eq!(git(&partial, &["rev-parse", &format!("{}^{{tree}}", candidate.commit)]), tree);
    assert_eq!(repository.land(&candidate, Checkout::Refuse).unwrap(), Landing::Landed);
}

/// A file system of its own, as small as it gets. Prints why and gives nothing where that cannot be had.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn mount(path: std::path::PathBuf) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut command = Command::new("mount");
        let output = command.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&path).output().unwrap();
        if output.status.success() {
            return Some(Self(path));
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        let demanded = std::env::var("HEDGEROW_REQUIRE").unwrap_or_default();
        assert!(!demanded.split(',').any(|name| name.trim() == "mounts"), "mounts are required, but {why}");
        eprintln!("SKIPPED: no file system can be mounted: {why}");
        None
    }

    /// Leaves so many bytes.
    fn fill(&self, room: u64) {
        let filler = self.0.join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        let block = vec![7; 4096];
        while file.write_all(&block).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full.saturating_sub(room)).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since a handle may still have a file of it open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_target_stays_until_there_is_room() {
    let scene = Scene::simple();
    scene.git(&["branch", "trunk", "main"]);
    let Some(disk) = SmallDisk::mount(scene.beside("disk")) else { return };
    let place = disk.0.join("repo");
    git(&scene.path(), &["clone", "-q", "--bare", "--no-local", ".", place.to_str().unwrap()]);
    let repository = Repository::open(&place).unwrap();
    let (target, change) = (scene.target("trunk"), scene.change("change"));
    let mut failed = 0;
    for room in (0..12).map(|blocks| blocks * 4096) {
        git(&place, &["update-ref", "refs/heads/trunk", target.expected.as_str()]);
        git(&place, &["reflog", "expire", "--expire=now", "--all"]);
        git(&place, &["prune", "--expire=now"]);
        disk.fill(room);
        let landed = MergeCommit.prepare(&repository, &target, &change).and_then(|prepared| match prepared {
            Prepared::Candidate(candidate) => repository.land(&candidate, Checkout::Refuse),
            other => panic!("{other:?}"),
        });
        disk.empty();
        let now = git(&place, &["rev-parse", "refs/heads/trunk"]);
        match landed {
            Ok(landing) => assert_eq!(landing, Landing::Landed),
            Err(error) => {
                failed += 1;
                assert!(matches!(error, Error::Git { .. }), "{error:?}");
                // What was made is whole, if the target names it at all.
                git(&place, &["fsck", "--strict", "--no-dangling"]);
                assert!(now == target.expected.as_str() || git(&place, &["cat-file", "-t", &now]) == "commit");
            }
        }
        let Prepared::Candidate(candidate) = MergeCommit.prepare(&repository, &target, &change).unwrap() else {
            panic!()
        };
        assert_eq!(repository.land(&candidate, Checkout::Refuse).unwrap(), Landing::Landed, "with {room} bytes before");
    }
    assert!(failed > 2, "the disk was never full");
}
