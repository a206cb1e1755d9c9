//! Where a case has something wrong.

use std::sync::atomic::{AtomicBool, Ordering};

use hedgerow_worktree::{Capture, Error};

use super::arena::Arena;
use super::dice::Dice;
use super::history::{History, Made};
use super::{container, draw, place, structure};
use crate::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Nothing,
    Trees,
    Commits,
    Settings,
    Everything,
    Bytes,
    Loose,
    Deltas,
    Pack,
    Refs,
    Beside,
    Swapped,
    Moving,
}

/// Those that are worth most come more than once.
pub(super) const ALL: [Level; 19] = [
    Level::Nothing,
    Level::Trees,
    Level::Trees,
    Level::Trees,
    Level::Commits,
    Level::Commits,
    Level::Commits,
    Level::Settings,
    Level::Settings,
    Level::Settings,
    Level::Everything,
    Level::Bytes,
    Level::Loose,
    Level::Deltas,
    Level::Pack,
    Level::Refs,
    Level::Beside,
    Level::Swapped,
    Level::Moving,
];

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Trees => "entries of trees",
            Self::Commits => "headers of commits",
            Self::Settings => ".gitmodules, .gitattributes",
            Self::Everything => "several of these at once",
            Self::Bytes => "bytes of a tree or a commit",
            Self::Loose => "files of loose objects",
            Self::Deltas => "deltas in a sound pack",
            Self::Pack => "bytes of a pack",
            Self::Refs => "HEAD, refs, packed-refs, reflogs",
            Self::Beside => "index, alternates, .idx, grafts",
            Self::Swapped => "links, FIFOs, sparse files in place",
            Self::Moving => "files that change while they are read",
        }
    }

    /// Whether git can judge the same objects by themselves.
    pub(super) const fn is_compared(self) -> bool {
        matches!(self, Self::Nothing | Self::Trees | Self::Commits | Self::Settings | Self::Everything | Self::Bytes)
    }

    pub(super) const fn is_pack(self) -> bool {
        matches!(self, Self::Deltas | Self::Pack)
    }

    /// Fills the view; the objects that were meant, the tip last.
    pub(super) fn prepare(
        self,
        dice: &mut Dice,
        arena: &Arena,
        case: usize,
        nonce: &str,
    ) -> Result<Vec<Made>, Failure> {
        let (view, known) = (arena.view(), &arena.known[case]);
        let mut history: History = draw::healthy(dice, known, nonce);
        match self {
            Self::Trees => structure::trees(dice, known, &mut history),
            Self::Commits => structure::commits(dice, known, &mut history),
            Self::Settings => structure::settings(dice, &mut history, nonce),
            Self::Everything => {
                structure::settings(dice, &mut history, nonce);
                structure::trees(dice, known, &mut history);
                structure::commits(dice, known, &mut history);
            }
            _ => {}
        }
        let made = if self == Self::Bytes { structure::bytes(dice, &history) } else { history.make(|_, _| {}) };
        let tip = made.last().map(|made| made.id.to_string()).unwrap_or_default();
        place::write(&view, "refs/heads/lane", format!("{tip}\n").as_bytes())?;
        match self {
            Self::Loose => place::bad_loose(dice, &view, &made)?,
            Self::Deltas => {
                let pack = container::bad_deltas(dice, &made, &known.blob);
                place::write(&view, "objects/pack/pack-1.pack", &pack)?;
            }
            Self::Pack => place::write(&view, "objects/pack/pack-1.pack", &container::bad_pack(dice, &made))?,
            _ => place::objects(dice, &view, &made)?,
        }
        match self {
            Self::Refs => place::refs(dice, &view, &made)?,
            Self::Beside => place::beside(dice, &view, &made, &arena.repo().join(".git"))?,
            Self::Swapped => place::swapped(dice, &view, &made)?,
            _ => {}
        }
        Ok(made)
    }

    pub(super) fn capture(self, dice: &mut Dice, arena: &Arena, made: &[Made]) -> Result<Capture, Error> {
        if self != Self::Moving {
            return arena.capture();
        }
        let (view, stop, seed) = (arena.view(), AtomicBool::new(false), dice.below(1 << 30) as u64);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut dice = Dice::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    // What fails here is what the case does to itself.
                    let _tried = place::swapped(&mut dice, &view, made);
                    let _tried = place::bad_loose(&mut dice, &view, made);
                    let _tried = place::refs(&mut dice, &view, made);
                    let _tried = place::objects(&mut dice, &view, made);
                }
            });
            let captured = arena.capture();
            stop.store(true, Ordering::Relaxed);
            captured
        })
    }
}
