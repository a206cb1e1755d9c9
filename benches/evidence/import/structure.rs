//! Changes to what an object says, after which its hash and all that name it are right again.

use gix::objs::Kind;

use super::dice::Dice;
use super::draw::{HOSTILE, Known, MODES, WHO, modules};
use super::history::{self, Body, Entry, History, Made, Piece, Target};

/// Draws a history with something changed in its trees.
pub(super) fn trees(dice: &mut Dice, known: &Known, history: &mut History) {
    let sort = !dice.once_in(6);
    for _ in 0..=dice.below(2) {
        let trees = history.of(Kind::Tree);
        let at = trees[dice.below(trees.len())];
        let parts = history.parts.len();
        let Body::Tree(entries) = &mut history.parts[at].body else { continue };
        let entry = dice.below(entries.len());
        match dice.below(10) {
            0..4 => entries[entry].name = dice.pick(&HOSTILE).to_vec(),
            4 => dice.garble(&mut entries[entry].name),
            5 => entries[entry].mode = dice.pick(&MODES).as_bytes().to_vec(),
            6 => entries[entry].target = target(dice, known, parts.min(at)),
            7 => {
                let again = entries[entry].clone();
                entries.push(again);
            }
            8 => {
                let (mode, name) = (dice.pick(&MODES).as_bytes().to_vec(), dice.pick(&HOSTILE).to_vec());
                entries.push(Entry { mode, name, target: target(dice, known, at) });
            }
            _ => {
                let name = [&entries[entry].name[..], dice.pick(&[&b".x"[..], b"0", b"", b"-"])].concat();
                let mode = dice.pick(&["40000", "100644"]).as_bytes().to_vec();
                entries.push(Entry { mode, name, target: target(dice, known, at) });
            }
        }
        if sort {
            history::sort(entries);
        }
    }
}

/// Something of any kind that is there, or is not.
fn target(dice: &mut Dice, known: &Known, end: usize) -> Target {
    match dice.below(8) {
        0 => Target::Id(vec![0; 20]),
        1 => Target::Id(vec![0x77; 20]),
        2 => Target::Id(known.commit.clone()),
        3 => Target::Id(known.tree.clone()),
        4 => Target::Id(known.blob.clone()),
        _ => Target::Part(dice.below(end.max(1))),
    }
}

/// Changes the headers of commits.
pub(super) fn commits(dice: &mut Dice, known: &Known, history: &mut History) {
    for _ in 0..=dice.below(2) {
        let commits = history.of(Kind::Commit);
        let at = commits[dice.below(commits.len())];
        let Body::Pieces(pieces) = &mut history.parts[at].body else { continue };
        let piece = dice.below(pieces.len());
        match dice.below(9) {
            0 => drop(pieces.remove(piece)),
            1 => {
                let again = pieces[piece].clone();
                pieces.insert(dice.below(pieces.len() + 1), again);
            }
            2 => {
                let moved = pieces.remove(piece);
                pieces.insert(dice.below(pieces.len() + 1), moved);
            }
            3 | 4 => {
                let field = dice.pick(&["author ", "committer "]);
                let who = dice.pick(&PEOPLE).replace("WHO", WHO);
                let line = Piece::Text(format!("{field}{who}\n").into_bytes());
                let same = |piece: &Piece| matches!(piece, Piece::Text(text) if text.starts_with(field.as_bytes()));
                match pieces.iter().position(same) {
                    Some(at) => pieces[at] = line,
                    None => pieces.push(line),
                }
            }
            5 => {
                if let Piece::Names(_, names) = &mut pieces[piece] {
                    *names = target(dice, known, at);
                }
            }
            6 => {
                if let Piece::Text(text) = &mut pieces[piece] {
                    dice.garble(text);
                }
            }
            7 => {
                let extra = dice.pick(&EXTRA).as_bytes().to_vec();
                pieces.insert(dice.below(pieces.len() + 1), Piece::Text(extra));
            }
            _ => {
                if let Piece::Names(field, _) = &mut pieces[piece] {
                    *field = dice.pick(&["tree", "parent", "Tree", "tree ", "parents", ""]).as_bytes().to_vec();
                }
            }
        }
        if pieces.is_empty() {
            pieces.push(Piece::Text(Vec::new()));
        }
    }
}

const PEOPLE: [&str; 30] = [
    "A <a@b> 1 +0000",
    "A <a@b> 0 +0000",
    "A <a@b> 00 +0000",
    "A <a@b> 01 +0000",
    "A <a@b>  1 +0000",
    "A <a@b> \t1 +0000",
    "A <a@b>\t1 +0000",
    "A <a@b> -1 +0000",
    "A <a@b> +1 +0000",
    "A <a@b> 9223372036854775807 +0000",
    "A <a@b> 9223372036854775808 +0000",
    "A <a@b> 18446744073709551615 +0000",
    "A <a@b> 18446744073709551616 +0000",
    "A <a@b> 1 +000",
    "A <a@b> 1 +00000",
    "A <a@b> 1 0000",
    "A <a@b> 1 +0000 ",
    "A <a@b> 1  +0000",
    "A <a@b> 1",
    "A <a@b>",
    "A <a@b",
    "A a@b> 1 +0000",
    "A<a@b> 1 +0000",
    "<a@b> 1 +0000",
    " <a@b> 1 +0000",
    "A <a<b> 1 +0000",
    "A <a>b> 1 +0000",
    "A <> 1 +9999",
    "A <a@b> 1 -0000\r",
    "A \u{1}\u{7f}\u{e9} <a@b> 1 +0000",
];
const EXTRA: [&str; 10] = [
    "encoding \n",
    "encoding NOT-ONE\n",
    "x\n",
    "\n",
    " continued\n",
    "mergetag object 1\n type commit\n",
    "gpgsig\n",
    "author A <a@b> 1 +0000\n",
    "tree 1111111111111111111111111111111111111111\n",
    "parent 1111111111111111111111111111111111111111\n",
];

/// Replaces a file by one that git itself reads.
pub(super) fn settings(dice: &mut Dice, history: &mut History, nonce: &str) {
    let (names, text): (&[&[u8]], _) = if dice.once_in(3) {
        let line = "a".repeat([10, 2046, 2047, 2048, 2049, 5000][dice.below(6)]);
        let end = dice.pick(&["\n", "\r\n", "", "\0", "\n\0\n"]);
        (
            &[b".gitattributes", b"gitatt~1", b".GITATTRIBUTES", b"a\\.gitattributes"],
            format!("# {nonce}\n{line}{end}{line}").into_bytes(),
        )
    } else {
        (&[b".gitmodules", b".gitmodules", b"GITMOD~1", b".GITmodules ", b"x\\.gitmodules"], modules(dice, nonce))
    };
    let name = dice.pick(names).to_vec();
    // It comes before all that may name it.
    let blob = Body::Bytes(text);
    for part in &mut history.parts {
        let shift = |target: &mut Target| {
            if let Target::Part(at) = target {
                *at += 1;
            }
        };
        match &mut part.body {
            Body::Bytes(_) => {}
            Body::Tree(entries) => entries.iter_mut().for_each(|entry| shift(&mut entry.target)),
            Body::Pieces(pieces) => {
                for piece in pieces {
                    if let Piece::Names(_, target) = piece {
                        shift(target);
                    }
                }
            }
        }
    }
    history.parts.insert(0, history::Part { kind: Kind::Blob, body: blob });
    let trees = history.of(Kind::Tree);
    let at = trees[dice.below(trees.len())];
    if let Body::Tree(entries) = &mut history.parts[at].body {
        entries.retain(|entry| entry.name != name);
        let mode = if dice.once_in(10) { dice.pick(&MODES) } else { dice.pick(&["100644", "100755"]) };
        entries.push(Entry { mode: mode.into(), name, target: Target::Part(0) });
        if dice.once_in(4) {
            entries.push(Entry { mode: b"100644".to_vec(), name: b"plain".to_vec(), target: Target::Part(0) });
        }
        history::sort(entries);
    }
}

/// The objects, one of them with bytes changed before it was hashed.
pub(super) fn bytes(dice: &mut Dice, history: &History) -> Vec<Made> {
    let parts: Vec<usize> = (0..history.parts.len()).filter(|at| history.parts[*at].kind != Kind::Blob).collect();
    let chosen = parts[dice.below(parts.len())];
    history.make(|at, bytes| {
        if at == chosen {
            dice.damage(bytes);
        }
    })
}
