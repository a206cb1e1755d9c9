//! What a change meets on its target.

/// What one commit does to a path.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    pub(super) path: &'static str,
    /// The new content, or nothing where the file goes.
    pub(super) content: Option<fn() -> Vec<u8>>,
    pub(super) executable: bool,
}

/// A target and a change.
#[derive(Clone, Copy)]
pub(super) struct Situation {
    pub(super) name: &'static str,
    pub(super) base: &'static [Edit],
    /// The commits of the target since the base.
    pub(super) target: &'static [&'static [Edit]],
    /// The commits of the change since the base.
    pub(super) change: &'static [&'static [Edit]],
    /// Whether the change has no commit in common with the target.
    pub(super) unrelated: bool,
}

const fn put(path: &'static str, content: fn() -> Vec<u8>) -> Edit {
    Edit { path, content: Some(content), executable: false }
}

const fn gone(path: &'static str) -> Edit {
    Edit { path, content: None, executable: false }
}

/// The numbers to 30, one in each line, with another word in one of them.
fn lines(line: usize, word: &str) -> Vec<u8> {
    let text = (1..=30).map(|n| if n == line { format!("{word}\n") } else { format!("{n}\n") });
    text.collect::<String>().into_bytes()
}

fn plain() -> Vec<u8> {
    lines(0, "")
}
fn top() -> Vec<u8> {
    lines(2, "top")
}
fn middle() -> Vec<u8> {
    lines(15, "middle")
}
fn other_middle() -> Vec<u8> {
    lines(15, "another")
}
fn bottom() -> Vec<u8> {
    lines(28, "bottom")
}
fn binary() -> Vec<u8> {
    b"a\0b".to_vec()
}
fn word() -> Vec<u8> {
    b"word\n".to_vec()
}

const BASE: &[Edit] = &[put("f", plain), put("g", plain), put("gone", word), put("dir/deep/file", word)];

const fn situation(
    name: &'static str,
    target: &'static [&'static [Edit]],
    change: &'static [&'static [Edit]],
) -> Situation {
    Situation { name, base: BASE, target, change, unrelated: false }
}

/// The name of the situation in which the change is the first commit of the target.
pub(super) const MERGED: &str = "a change that the target contains";

/// Both sides did something, and it goes together.
pub(super) const FITTING: &[Situation] = &[
    situation("a target that did not move", &[], &[&[put("f", top)], &[put("new", word)]]),
    situation("two files", &[&[put("f", top)]], &[&[put("g", bottom)]]),
    situation("two places of one file", &[&[put("f", top)]], &[&[put("f", bottom)]]),
    situation("files added and deleted", &[&[put("mine", word)]], &[&[put("yours", word), gone("gone")]]),
    situation("a file renamed and changed", &[&[gone("f"), put("moved", plain)]], &[&[put("f", bottom)]]),
    situation("a series", &[&[put("g", top)]], &[&[put("f", top)], &[put("dir/more", word)], &[put("binary", binary)]]),
    situation(
        "a file made executable",
        &[&[put("f", top)]],
        &[&[Edit { path: "gone", content: Some(word), executable: true }]],
    ),
];

/// Both sides did something, and it does not.
pub(super) const CLASHING: &[Situation] = &[
    situation("one line changed twice", &[&[put("f", middle)]], &[&[put("f", other_middle)]]),
    situation("a file changed and deleted", &[&[put("f", middle)]], &[&[gone("f")]]),
    situation("a file added twice", &[&[put("new", plain)]], &[&[put("new", binary)]]),
];

/// There is nothing to do, for whatever reason.
pub(super) const NOTHING: &[Situation] =
    &[situation("a change that is the target", &[], &[]), situation(MERGED, &[&[put("f", top)]], &[])];

/// The change has a commit that changes nothing.
pub(super) const EMPTY: Situation = situation("a commit that changes nothing", &[&[put("f", top)]], &[&[]]);

/// No commit in common.
pub(super) const UNRELATED: Situation = Situation {
    name: "histories without a commit in common",
    base: BASE,
    target: &[&[put("f", top)]],
    change: &[&[put("g", bottom)]],
    unrelated: true,
};
