//! Little that stands for much: what cannot be taken over within the limits is refused, and the files are captured.

use gix::objs::Kind;

use super::forge::{Forge, deflated, entry, loose};
use super::{lane, refused};
use crate::capture::Lane;

/// Captures, and makes sure that the file in the tree is there whatever became of the history.
async fn refusal(lane: &Lane) -> String {
    let capture = lane.capture().await;
    assert_eq!(lane.repo.git(["show", &format!("{}:dirty", capture.tip)]), "not committed", "{capture:#?}");
    lane.repo.assert_sound();
    refused(&capture)
}

async fn dirty() -> Lane {
    let lane = lane().await;
    lane.write("dirty", "not committed\n");
    lane
}

#[tokio::test]
async fn trees_that_are_too_deep_are_refused() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let mut tree = forge.plain();
    for _ in 0..10_000 {
        tree = forge.tree(&[entry("40000", b"d", &tree)]);
    }
    forge.point(&forge.commit(&tree));
    let why = refusal(&lane).await;
    assert!(why.contains("is too deep (the limit is 1024; "), "{why}");
}

#[tokio::test]
async fn trees_that_grow_deeper_with_every_commit_are_held_and_not_listed() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let (mut tree, mut parent) = (forge.plain(), lane.base().to_owned());
    for _ in 0..3 {
        for _ in 0..900 {
            tree = forge.tree(&[entry("40000", b"d", &tree)]);
        }
        let who = super::forge::WHO;
        let text = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\ndeeper\n");
        parent = forge.object(Kind::Commit, text.as_bytes());
        forge.point(&parent);
        let why = refusal(&lane).await;
        assert!(why.is_empty() || why.contains("too long") || why.contains("too deep"), "{why}");
    }
}

#[tokio::test]
async fn a_tree_of_many_entries_is_taken_over() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let blob = forge.blob();
    let entries: Vec<_> = (0..50_000).map(|n| entry("100644", format!("{n:06}").as_bytes(), &blob)).collect();
    let tip = forge.commit(&forge.tree(&entries));
    forge.point(&tip);
    assert_eq!(refusal(&lane).await, "");
    lane.repo.git(["cat-file", "-e", &tip]);
}

#[tokio::test]
async fn a_commit_with_a_hundred_thousand_parents_is_taken_over() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let (tree, who) = (forge.plain(), super::forge::WHO);
    let parents: String = (0..300).map(|n| arm(&forge, &tree, n)).collect::<String>().repeat(334);
    assert!(parents.lines().count() > 100_000);
    let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nmany\n");
    let tip = forge.object(Kind::Commit, text.as_bytes());
    forge.point(&tip);
    assert_eq!(refusal(&lane).await, "");
    lane.repo.git(["cat-file", "-e", &tip]);
}

/// The line that names a commit on the base as a parent.
fn arm(forge: &Forge, tree: &str, number: usize) -> String {
    let who = super::forge::WHO;
    let base = forge.base();
    let text = format!("tree {tree}\nparent {base}\nauthor {who}\ncommitter {who}\n\narm {number}\n");
    format!("parent {}\n", forge.object(Kind::Commit, text.as_bytes()))
}

#[tokio::test]
async fn reflogs_of_gigabytes_are_not_read_and_not_passed_over_in_silence() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let tip = forge.commit(&forge.plain());
    forge.point(&tip);
    for name in ["logs/HEAD", "logs/refs/heads/lane", "logs/refs/stash"] {
        forge.write(name, b"");
        let file = std::fs::OpenOptions::new().write(true).open(forge.view().join(name)).unwrap();
        file.set_len(8 << 30).unwrap();
    }
    let why = refusal(&lane).await;
    assert!(why.contains("the log of refs/stash is larger than 4194304 bytes (the limit is 4 MiB; "), "{why}");
    lane.repo.git(["cat-file", "-e", &tip]);
}

#[tokio::test]
async fn more_refs_than_are_looked_at_cost_the_refs_alone() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let tip = forge.commit(&forge.plain());
    forge.point(&tip);
    let line = |n: usize| format!("{} refs/heads/x{n}\n", lane.base());
    forge.write("packed-refs", (0..100_001).map(line).collect::<String>());
    let why = refusal(&lane).await;
    assert!(why.starts_with("packed-refs has more than 100000 refs (the limit is 100000; delete "), "{why}");
    lane.repo.git(["cat-file", "-e", &tip]);
}

#[tokio::test]
async fn ref_names_without_end_are_refused() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    let tip = forge.commit(&forge.plain());
    forge.point(&tip);
    let name = format!("refs/heads/{}x", "d/".repeat(3000));
    forge.write("packed-refs", format!("{} {name}\n", "1".repeat(40)));
    assert_ne!(refusal(&lane).await, "");
    forge.write("HEAD", format!("ref: {name}\n"));
    assert_ne!(refusal(&lane).await, "");
}

#[tokio::test]
async fn objects_that_claim_or_hold_too_much_are_refused() {
    type Bomb = fn() -> Vec<u8>;
    let bombs: [(&str, Bomb); 4] = [
        ("a size of 2^63", || deflated(b"blob 9223372036854775808\0x")),
        ("one byte more than is allowed", || deflated(b"blob 268435457\0x")),
        ("more than it says", || deflated(&[b"blob 10\0".to_vec(), vec![0; 32 << 20]].concat())),
        ("a header without end", || deflated(&vec![b'b'; 32 << 20])),
    ];
    for (name, bomb) in bombs {
        let lane = dirty().await;
        let forge = Forge::new(&lane, 0);
        let blob = "77".repeat(20);
        loose(forge.view(), &blob, &bomb());
        forge.point(&forge.commit(&forge.tree(&[entry("100644", b"bomb", &blob)])));
        assert!(refusal(&lane).await.contains(&blob), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_shrinks_to_nothing_on_the_disk_is_not_read_to_its_end() {
    let lane = dirty().await;
    let forge = Forge::new(&lane, 0);
    forge.point(&forge.commit(&forge.plain()));
    for name in ["packed-refs", "HEAD", "refs/heads/lane"] {
        let path = forge.view().join(name);
        let before = std::fs::read(&path).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(refusal(&lane).await.contains("is larger than"), "{name}");
        std::fs::write(&path, before).unwrap();
    }
    // A copy of the pack would fill the disk.
    let missing = "79".repeat(20);
    forge.point(&missing);
    forge.write("objects/pack/pack-1.pack", b"PACK\0\0\0\x02\0\0\0\x01");
    let pack = forge.view().join("objects/pack/pack-1.pack");
    std::fs::OpenOptions::new().write(true).open(pack).unwrap().set_len(3 << 30).unwrap();
    assert!(refusal(&lane).await.contains("it has holes"));
}
