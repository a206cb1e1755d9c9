//! Draws histories as agents make them, and texts for the files that git itself reads.

use gix::objs::Kind;

use super::dice::Dice;
use super::history::{self, Body, Entry, History, Piece, Target};

/// What the repository has already.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) commit: Vec<u8>,
    pub(super) tree: Vec<u8>,
    pub(super) blob: Vec<u8>,
}

pub(super) const WHO: &str = "An Agent <agent@example.com> 1700000000 +0000";

/// A history on the base in which nothing is wrong. `nonce` makes every object of it another than those of all others.
pub(super) fn healthy(dice: &mut Dice, known: &Known, nonce: &str) -> History {
    let mut history = History::default();
    let mut parent = Target::Id(known.commit.clone());
    for commit in 0..=dice.below(3) {
        let tree = tree(dice, known, &mut history, &format!("{nonce}-{commit}"), 0);
        let mut pieces = vec![Piece::Names(b"tree".to_vec(), Target::Part(tree))];
        pieces.push(Piece::Names(b"parent".to_vec(), parent));
        if dice.once_in(4) {
            pieces.push(Piece::Names(b"parent".to_vec(), Target::Id(known.commit.clone())));
        }
        pieces.push(Piece::Text(format!("author {WHO}\n").into_bytes()));
        pieces.push(Piece::Text(format!("committer {WHO}\n").into_bytes()));
        if dice.once_in(4) {
            pieces.push(Piece::Text(b"encoding ISO-8859-1\n".to_vec()));
        }
        if dice.once_in(4) {
            pieces.push(Piece::Text(b"gpgsig -----BEGIN\n x\n -----END\n".to_vec()));
        }
        pieces.push(Piece::Text(format!("\ncommit {commit} of {nonce}\n").into_bytes()));
        parent = Target::Part(history.push(Kind::Commit, Body::Pieces(pieces)));
    }
    history
}

fn tree(dice: &mut Dice, known: &Known, history: &mut History, nonce: &str, depth: usize) -> usize {
    let mut entries = Vec::new();
    let mut add = |mode: &str, name: &str, target| {
        entries.push(Entry { mode: mode.into(), name: name.into(), target });
    };
    for n in 0..=dice.below(3) {
        let blob =
            history.push(Kind::Blob, Body::Bytes(format!("file {n} of {nonce} at {depth}\n").repeat(4).into_bytes()));
        let mode = ["100644", "100755", "120000"][dice.below(3)];
        add(mode, &format!("file{n}"), Target::Part(blob));
    }
    if dice.once_in(4) {
        add("100644", "old", Target::Id(known.blob.clone()));
    }
    if dice.once_in(6) {
        add("160000", "module", Target::Id(vec![0x21; 20]));
    }
    if dice.once_in(3) {
        let text =
            format!("# {nonce} {depth}\n[submodule \"a\"]\n\tpath = module\n\turl = https://example.com/a.git\n");
        add("100644", ".gitmodules", Target::Part(history.push(Kind::Blob, Body::Bytes(text.into_bytes()))));
    }
    if dice.once_in(3) {
        let text = format!("# {nonce} {depth}\n*.rs text\n");
        add("100644", ".gitattributes", Target::Part(history.push(Kind::Blob, Body::Bytes(text.into_bytes()))));
    }
    if depth < 3 && dice.once_in(2) {
        let below = tree(dice, known, history, nonce, depth + 1);
        add("40000", "dir", Target::Part(below));
    }
    history::sort(&mut entries);
    history.push(Kind::Tree, Body::Tree(entries))
}

/// A `.gitmodules` that may hold anything.
pub(super) fn modules(dice: &mut Dice, nonce: &str) -> Vec<u8> {
    let mut text = format!("# {nonce}\n");
    for _ in 0..=dice.below(2) {
        let section = dice.pick(&SECTIONS);
        text.push_str(&section.replace("NAME", dice.pick(&NAMES)));
        for _ in 0..=dice.below(3) {
            let key = dice.pick(&["path", "url", "update", "URL", "Path", "uPdate", "branch", "url2", "ignore"]);
            let values = [&URLS[..], &PATHS[..], &UPDATES[..], &URLS[..]][dice.below(4)];
            let value = dice.pick(values);
            let form = dice.pick(&[
                "\tKEY = VALUE\n",
                "KEY=VALUE\n",
                "KEY = \"VALUE\"\n",
                "KEY\n",
                "KEY = VALUE # x\n",
                "KEY = VAL\\\nVALUE\n",
            ]);
            text.push_str(&form.replace("KEY", key).replace("VALUE", value));
        }
    }
    let mut text = text.into_bytes();
    if dice.once_in(3) {
        dice.garble(&mut text);
    }
    if dice.once_in(12) {
        text.splice(0..0, *b"\xef\xbb\xbf");
    }
    text
}

const SECTIONS: [&str; 8] = [
    "[submodule \"NAME\"]\n",
    "[submodule \"NAME\"] ",
    "[SubModule \"NAME\"]\n",
    "[submodule.NAME]\n",
    "[submodule]\n",
    "[core]\n",
    "[submodule  \"NAME\"]\n",
    "[submodule \"NAME\\\\\"]\n",
];
const NAMES: [&str; 14] =
    ["a", "..", "../x", "a/../b", "a/..", "..a", "a..", "", "a\\\\..\\\\b", "..\\\\x", "a\\\"b", "a.b", "-x", "a/b"];
const PATHS: [&str; 7] = ["module", "-x", "--upload-pack=x", "../x", ".git", "a\\tb", "\\\"-x\\\""];
const UPDATES: [&str; 8] = ["none", "checkout", "rebase", "merge", "!touch x", "! x", "\\\"!x\\\"", "other"];
const URLS: [&str; 46] = [
    "https://example.com/x.git",
    "-uploadpack=x",
    "--x",
    "./x",
    "../x",
    "../../:x",
    "..//x",
    "../:x",
    ".././:x",
    "./../:x",
    "./:x",
    "..\\\\..\\\\:x",
    ".\\\\%0a",
    "https:///x",
    "https://%0ahost/",
    "https://host/%0a",
    "http::https://x",
    "https::-x",
    "https::x",
    "ext::sh -c x",
    "http://a b/",
    "https://host:99999/",
    "https://host:0/",
    "https://host:080/",
    "https://host:443/x",
    "http://h/%zz",
    "http://h/%4",
    "./%0a",
    "../%0ax",
    "ssh://-oProxyCommand=x/",
    "git@example.com:x.git",
    "https://user:pw@host/..",
    "https://user%0a@host/x",
    "HTTPS://host/%0a",
    "https://host/../../x",
    "https://host/a/../x",
    "https://host/a/..",
    "https://host/./x",
    "https://host?x=%0a",
    "https://host#%0a",
    "ftp://host/%0a",
    "ftps://[::1]:80/x",
    "file:///x%0a",
    "http://",
    "https://@/x",
    "https://ho_st.-[:]/x",
];

/// Names that some file system or some program may take for another.
pub(super) const HOSTILE: [&[u8]; 58] = [
    b".git",
    b".GIT",
    b".gIt",
    b"git~1",
    b"GIT~1",
    b"git~2",
    b".git ",
    b".git.",
    b".git. .",
    b".git...",
    b".git::$INDEX_ALLOCATION",
    b".git:x",
    b"git~1:x",
    b"git~1 ",
    b".git\\x",
    b"a\\.git",
    b"a\\git~1",
    b"\\.git",
    b"a\\.GIT\\b",
    b".g\xe2\x80\x8cit",
    b"\xef\xbb\xbf.git",
    b".git\xe2\x80\x8f",
    b".g\xe2\x81\xaait",
    b".gi\xe2\x80\xaat",
    b"..",
    b".",
    b"",
    b"...",
    b"a/b",
    b"/",
    b"../x",
    b"a\\..\\b",
    b"..\\x",
    b".gitmodules",
    b".GITMODULES",
    b".gitmod~1",
    b"gitmod~1",
    b"GITMOD~4",
    b"gitmod~5",
    b"gi7eba~1",
    b"gi7eba~9",
    b"gi7eb~10",
    b"~1000000",
    b".gitmodules ",
    b".gitmodules.",
    b".gitmodules::$DATA",
    b"a\\.gitmodules",
    b"a\\gitmod~1",
    b".gitm\xe2\x80\x8codules",
    b".gitattributes",
    b".GitAttributes",
    b"gitatt~1",
    b"gi7d29~1",
    b".gitattributes ",
    b"a\\.gitattributes",
    b".gitignore",
    b".mailmap",
    b"\xff\xfe",
];

pub(super) const MODES: [&str; 18] = [
    "100644",
    "100755",
    "120000",
    "40000",
    "160000",
    "100664",
    "100666",
    "100600",
    "040000",
    "0100644",
    "0",
    "1",
    "40755",
    "120777",
    "170000",
    "20000",
    "100",
    "777777777777777",
];
