//! Loose objects and packs that are wrong as files, against `git index-pack --strict`.

use std::io::Write;
use std::process::{Command, Stdio};

use gix::objs::Kind;

use super::forge::{Forge, deflated, id_of, loose};
use super::{lane, refused};
use crate::capture::Lane;
use crate::repo::try_git;

/// The three objects of a commit, as a pack holds them.
struct Objects {
    tip: String,
    entries: Vec<Vec<u8>>,
    all: Vec<(Kind, String, Vec<u8>)>,
}

fn header(kind: u8, size: usize) -> Vec<u8> {
    let (mut size, mut byte, mut out) = (size >> 4, kind << 4 | (size & 15) as u8, Vec::new());
    while size > 0 {
        out.push(byte | 0x80);
        byte = (size & 0x7f) as u8;
        size >>= 7;
    }
    out.push(byte);
    out
}

fn whole(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [header(kind, bytes.len()), deflated(bytes)].concat()
}

fn by_id(base: &str, delta: &[u8]) -> Vec<u8> {
    [header(7, delta.len()), super::forge::raw(base), deflated(delta)].concat()
}

fn by_place(back: u8, delta: &[u8]) -> Vec<u8> {
    [header(6, delta.len()), vec![back], deflated(delta)].concat()
}

fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap();
    summed([&b"PACK\0\0\0\x02"[..], &count.to_be_bytes(), &entries.concat()].concat())
}

fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(&bytes);
    bytes.extend_from_slice(hasher.try_finalize().unwrap().as_bytes());
    bytes
}

/// A commit of one file, and a second blob that only deltas are made of.
fn objects(forge: &Forge) -> Objects {
    let blob = forge.object(Kind::Blob, b"abcdef");
    let tip = forge.commit(&forge.tree(&[super::forge::entry("100644", b"file", &blob)]));
    let all = forge.take();
    let number = |kind| match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let entries = all.iter().map(|(kind, _, bytes)| whole(number(*kind), bytes)).collect();
    Objects { tip, entries, all }
}

/// What a pack is made of, whether git takes it, and what we make of the commit in it.
struct Pack {
    name: &'static str,
    git: bool,
    ours: Option<&'static str>,
    make: fn(Objects) -> Vec<u8>,
}

const BLOB: &[u8] = b"abcdef";

const PACKS: [Pack; 26] = [
    Pack { name: "a sound pack", git: true, ours: None, make: |o| pack(&o.entries) },
    Pack { name: "an object twice", git: false, ours: None, make: |o| pack(&[o.entries.clone(), o.entries].concat()) },
    Pack {
        name: "a delta by id in front of its base",
        git: true,
        ours: None,
        make: |o| {
            let base = id_of(Kind::Blob, b"abcdX");
            pack(&[
                by_id(&base, &[5, 6, 0x90, 4, 2, b'e', b'f']),
                o.entries[1].clone(),
                o.entries[2].clone(),
                whole(3, b"abcdX"),
            ])
        },
    },
    Pack {
        name: "a delta by place",
        git: true,
        ours: None,
        make: |o| {
            let base = whole(3, b"abcdX");
            let back = u8::try_from(base.len()).unwrap();
            pack(&[base, by_place(back, &[5, 6, 0x90, 4, 2, b'e', b'f']), o.entries[1].clone(), o.entries[2].clone()])
        },
    },
    Pack {
        name: "the wrong sum",
        git: false,
        ours: None,
        make: |o| {
            let mut bytes = pack(&o.entries);
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        },
    },
    Pack {
        name: "no sum",
        git: false,
        ours: None,
        make: |o| {
            let bytes = pack(&o.entries);
            bytes[..bytes.len() - 20].to_vec()
        },
    },
    Pack {
        name: "bytes behind the sum",
        git: true,
        ours: None,
        make: |o| [pack(&o.entries), b"more".to_vec()].concat(),
    },
    Pack { name: "one object fewer than it says", git: false, ours: Some("is damaged"), make: |o| with_count(&o, 4) },
    Pack { name: "one object more than it says", git: false, ours: Some("is missing"), make: |o| with_count(&o, 2) },
    Pack {
        name: "four thousand million objects",
        git: false,
        ours: Some("too many objects"),
        make: |o| with_count(&o, u32::MAX),
    },
    Pack { name: "another signature", git: false, ours: Some("it is not a pack"), make: |o| patched(&o, 0, b'X') },
    Pack { name: "version 4", git: false, ours: Some("it is not a pack"), make: |o| patched(&o, 7, 4) },
    Pack { name: "version 3", git: true, ours: None, make: |o| patched(&o, 7, 3) },
    Pack {
        name: "an object of type 0",
        git: false,
        ours: Some("unknown type"),
        make: |o| with_first(&o, whole(0, BLOB)),
    },
    Pack {
        name: "an object of type 5",
        git: false,
        ours: Some("unknown type"),
        make: |o| with_first(&o, whole(5, BLOB)),
    },
    Pack {
        name: "an object of another type",
        git: false,
        ours: Some("is missing"),
        make: |o| with_first(&o, whole(4, BLOB)),
    },
    Pack {
        name: "an object that is larger than it says",
        git: false,
        ours: Some("larger than it says"),
        make: |o| with_first(&o, [header(3, 2), deflated(BLOB)].concat()),
    },
    Pack {
        name: "an object that is smaller than it says",
        git: false,
        ours: Some("smaller than it says"),
        make: |o| with_first(&o, [header(3, 20), deflated(BLOB)].concat()),
    },
    Pack {
        name: "an object of 2^60 bytes",
        git: false,
        ours: Some("a size without end"),
        make: |o| with_first(&o, [header(3, 1 << 60), deflated(BLOB)].concat()),
    },
    Pack {
        name: "a stream that is none",
        git: false,
        ours: Some("not a zlib stream"),
        make: |o| with_first(&o, [header(3, 6), b"not zlib".to_vec()].concat()),
    },
    Pack {
        name: "a delta of what is not there",
        git: false,
        ours: Some("is missing"),
        make: |o| with_first(&o, by_id(&"76".repeat(20), &[5, 6, 0x90, 4, 2, b'e', b'f'])),
    },
    Pack {
        name: "a delta of itself by place",
        git: false,
        ours: Some("a base that is not there"),
        make: |o| with_first(&o, by_place(0, &[6, 6, 0x90, 6])),
    },
    Pack {
        name: "a delta of itself by id",
        git: false,
        ours: Some("is missing"),
        make: |o| with_first(&o, by_id(&id_of(Kind::Blob, BLOB), &[6, 6, 0x90, 6])),
    },
    Pack {
        name: "deltas that are made of each other",
        git: false,
        ours: Some("is missing"),
        make: |o| {
            let other = by_id(&id_of(Kind::Blob, BLOB), &[6, 5, 0x90, 4, 1, b'X']);
            let this = by_id(&id_of(Kind::Blob, b"abcdX"), &[5, 6, 0x90, 4, 2, b'e', b'f']);
            pack(&[this, other, o.entries[1].clone(), o.entries[2].clone()])
        },
    },
    Pack {
        name: "a delta with an operation of zero",
        git: false,
        ours: Some("delta"),
        make: |o| with_delta(&o, &[5, 6, 0x90, 4, 0, 2, b'e', b'f']),
    },
    Pack {
        name: "a delta that copies from behind its base",
        git: false,
        ours: Some("delta"),
        make: |o| with_delta(&o, &[5, 6, 0x91, 4, 6]),
    },
];

fn with_count(objects: &Objects, count: u32) -> Vec<u8> {
    summed([&b"PACK\0\0\0\x02"[..], &count.to_be_bytes(), &objects.entries.concat()].concat())
}

fn patched(objects: &Objects, at: usize, byte: u8) -> Vec<u8> {
    let bytes = pack(&objects.entries);
    let mut bytes = bytes[..bytes.len() - 20].to_vec();
    bytes[at] = byte;
    summed(bytes)
}

fn with_first(objects: &Objects, first: Vec<u8>) -> Vec<u8> {
    pack(&[first, objects.entries[1].clone(), objects.entries[2].clone()])
}

fn with_delta(objects: &Objects, delta: &[u8]) -> Vec<u8> {
    let base = id_of(Kind::Blob, b"abcdX");
    pack(&[whole(3, b"abcdX"), by_id(&base, delta), objects.entries[1].clone(), objects.entries[2].clone()])
}

/// Whether `git index-pack` takes this pack.
fn git_takes(lane: &Lane, bytes: &[u8]) -> bool {
    let bare = tempfile::tempdir().unwrap();
    crate::repo::git_in(bare.path(), ["init", "-q", "--bare"]);
    let objects = lane.repo.path().join(".git/objects");
    std::fs::write(bare.path().join("objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
    let mut command = Command::new("git");
    command.current_dir(bare.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.args(["index-pack", "--strict", "--fix-thin", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It may have ended by then.
    let _refused = child.stdin.take().unwrap().write_all(bytes);
    child.wait().unwrap().success()
}

#[tokio::test]
async fn a_pack_is_believed_for_the_objects_in_it_alone() {
    for (n, case) in PACKS.iter().enumerate() {
        let lane = lane().await;
        let forge = Forge::new(&lane, n);
        let objects = objects(&forge);
        let (tip, all) = (objects.tip.clone(), objects.all.clone());
        let bytes = (case.make)(objects);
        forge.clear();
        assert_eq!(git_takes(&lane, &bytes), case.git, "{}", case.name);
        forge.write("objects/pack/pack-1.pack", &bytes);
        forge.write("objects/pack/pack-1.idx", b"not an index");
        forge.point(&tip);
        let capture = lane.capture().await;
        let there = try_git(lane.repo.path(), ["cat-file", "-e", &tip]).status.success();
        match case.ours {
            None => assert!(there && refused(&capture).is_empty(), "{}: {capture:#?}", case.name),
            Some(why) => assert!(!there && refused(&capture).contains(why), "{}: {capture:#?}", case.name),
        }
        // What is loose makes up for it, whatever is in the pack.
        all.iter().for_each(|(kind, id, bytes)| {
            loose(forge.view(), id, &deflated(&[format!("{kind} {}\0", bytes.len()).as_bytes(), bytes].concat()));
        });
        assert_eq!(refused(&lane.capture().await), "", "{}", case.name);
        lane.repo.assert_sound();
    }
}

#[tokio::test]
async fn a_loose_object_is_believed_for_its_hash_alone() {
    type Damage = fn(&[u8]) -> Vec<u8>;
    let cases: [(&str, Damage, bool); 10] = [
        ("as it should be", |b| deflated(&[b"blob 6\0", b].concat()), true),
        ("a size that is too large", |b| deflated(&[b"blob 7\0", b].concat()), false),
        ("a size that is too small", |b| deflated(&[b"blob 5\0", b].concat()), false),
        ("a size with a zero in front", |b| deflated(&[b"blob 06\0", b].concat()), false),
        ("another kind", |b| deflated(&[b"tree 6\0", b].concat()), false),
        ("a kind that does not exist", |b| deflated(&[b"blub 6\0", b].concat()), false),
        ("no header", deflated, false),
        ("not compressed", |b| [b"blob 6\0", b].concat(), false),
        ("half of it", |b| deflated(&[b"blob 6\0", b].concat())[..8].to_vec(), false),
        ("compressed twice", |b| deflated(&deflated(&[b"blob 6\0", b].concat())), false),
    ];
    for (n, (name, damage, good)) in cases.into_iter().enumerate() {
        let lane = lane().await;
        let forge = Forge::new(&lane, n);
        let objects = objects(&forge);
        loose(forge.view(), &id_of(Kind::Blob, BLOB), &damage(BLOB));
        forge.point(&objects.tip);
        let capture = lane.capture().await;
        assert_eq!(refused(&capture).is_empty(), good, "{name}: {capture:#?}");
        lane.repo.assert_sound();
    }
}
