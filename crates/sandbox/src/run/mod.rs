//! What the lanes share to run one command: output, deadlines, and the end of a process tree.

mod child;
mod discipline;
mod fault;
mod follow;
pub(crate) mod group;
#[cfg(feature = "native")]
mod held;
mod image;
mod keeper;
mod lean;
mod leash;
pub(crate) mod life;
mod marked;
pub(crate) mod owned;
pub(crate) mod reap;
mod records;
pub(crate) mod round;
mod session;
mod survivors;
mod tree;
mod warden;

pub(crate) use crate::token::token;

pub(crate) use self::{
    child::{CONTROL, REPORT, START, exec, first_signals, report},
    fault::{Fault, Stage},
    image::{Bound, Image},
    keeper::{Buried, Keeper, Lane},
    lean::Keepsake,
    marked::{COOKIE, Mark},
    reap::Reaping,
    records::Record,
    session::Session,
    survivors::Survivors,
    tree::Tree,
};

#[cfg(feature = "native")]
pub(crate) use self::{held::Held, keeper::Counts, warden::try_once};
