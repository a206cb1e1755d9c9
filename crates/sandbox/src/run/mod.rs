//! What the lanes share to run one command: output, deadlines, and the end of a process tree.

mod intake;

pub(crate) use intake::Intake;

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod discipline;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod follow;
#[cfg(target_os = "linux")]
mod image;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod leash;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod token;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod warden;

#[cfg(target_os = "linux")]
pub(crate) use self::{
    child::{CONTROL, START, exec, first_signals, report, report_done},
    fault::{Fault, Stage},
    image::{Bound, Image},
    keeper::{Health, Keeper, Lane},
    session::Session,
    token::token,
    tree::{Tree, kill_marked},
};

#[cfg(all(target_os = "linux", feature = "native"))]
pub(crate) use self::{child::REPORT, warden::try_once};
