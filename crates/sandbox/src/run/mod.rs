//! What the lanes share to run one command: output, deadlines, and the end of a process tree.

mod child;
mod discipline;
mod fault;
mod follow;
mod image;
mod keeper;
mod lean;
mod leash;
mod records;
pub(crate) mod round;
mod session;
mod tree;
mod warden;

pub(crate) use crate::token::token;

pub(crate) use self::{
    child::{CONTROL, START, exec, first_signals, report},
    fault::{Fault, Stage},
    image::{Bound, Image},
    keeper::{Buried, Keeper, Lane},
    lean::Keepsake,
    records::Record,
    session::Session,
    tree::{Tree, kill_marked},
};

#[cfg(feature = "native")]
pub(crate) use self::{child::REPORT, keeper::Counts, warden::try_once};
