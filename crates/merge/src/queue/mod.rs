//! A merge queue as a pure state machine: an event goes in, actions come out, nothing else happens.
//!
//! The queue decides which changes are tried on top of which commits, which trees are worth a run of the gate, what lands
//! and what is rejected and why. It does none of it: whoever drives it merges, runs gates and moves the target, and
//! reports. So it needs no clock, no threads and no repository, and a test can try every order of events.
//!
//! ```
//! use hedgerow_merge::CommitId;
//! use hedgerow_merge::queue::*;
//! # fn commit(name: &str) -> CommitId {
//! #     let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
//! #     CommitId::new(format!("{digits:0>40.40}")).unwrap()
//! # }
//! # fn tree(name: &str) -> TreeId { TreeId::new(name) }
//! # let landed = std::cell::RefCell::new(Vec::new());
//! // What a driver does with the world. Here, merging concatenates, and the gate dislikes the letter "x".
//! let merge = |base: &CommitId, change: &ChangeId| {
//!     let name = format!("{}{change}", base.as_str().trim_start_matches('0'));
//!     Tip { commit: commit(&name), tree: tree(&name) }
//! };
//! let gate = |tree: &TreeId| match tree.as_str().contains('x') {
//!     false => Verdict::Passed,
//!     true => Verdict::Failed { step: "cargo test".into() },
//! };
//!
//! let key = GateKey { gate: Digest::new("cargo test"), environment: Digest::new("image") };
//! let start = Tip { commit: commit(""), tree: tree("") };
//! let mut queue = State::new(Config::new(Guarantee::EveryCommit, key, 4), start.clone());
//!
//! let mut events = std::collections::VecDeque::new();
//! for name in ["a", "x", "b"] {
//!     let change = Submission::new(ChangeId::new(name), commit(name), tree(name), start.commit.clone());
//!     events.push_back(Event::Enqueue(change));
//! }
//! while let Some(event) = events.pop_front() {
//!     let actions = step(&mut queue, event);
//!     // Save the queue here; then act.
//!     for action in actions {
//!         events.extend(match action {
//!             Action::Prepare { base, change, head } => {
//!                 let merge = Merge::Made(merge(&base, &change));
//!                 Some(Event::Prepared { base, change, head, merge })
//!             }
//!             Action::StartGate(GateRun { tree, key, run, .. }) => {
//!                 let verdict = gate(&tree);
//!                 Some(Event::GateDone { tree, key, run, verdict })
//!             }
//!             Action::CancelGate(_) => None,
//!             Action::Land(landing) => Some(Event::Landed { commit: landing.to.commit }),
//!             Action::End { change, attempt, end } => {
//! #               landed.borrow_mut().push((change.as_str().to_owned(), matches!(end, End::Landed { .. })));
//!                 println!("{change}: {end:?}");
//!                 Some(Event::Noted { change, attempt })
//!             }
//!             Action::TargetRed { tip } => panic!("{} is broken", tip.commit),
//!         });
//!     }
//! }
//! assert_eq!(queue.open().count(), 0);
//! # landed.borrow_mut().sort();
//! # assert_eq!(*landed.borrow(), [("a".into(), true), ("b".into(), true), ("x".into(), false)]);
//! ```
//!
//! # Driving it
//!
//! - Save the state before you act on the actions of a step. After a crash, load it, report where the target is
//!   ([`Event::TargetMoved`]; first [`Event::Landed`], if the landing that [`Event::Resume`] asks for happened), and
//!   then [`Event::Resume`]: every action that is outstanding is asked for again. Report it from time to time anyway; then
//!   a lost event costs time and nothing else.
//! - Events are facts about commits and trees, so a late, doubled or reordered one does no harm. That needs merges that
//!   give the same commit for the same input, as those of this crate do.
//! - If the state is lost altogether, begin with an empty one and enqueue what did not end: what landed meanwhile ends as
//!   [`End::AlreadyLanded`].
//!
//! # What it decides
//!
//! - **Order**: declared needs first; then by due date, which priority brings forward and size, doubtful evidence and many
//!   related changes put back. Due dates are fixed at admission, so nothing waits for ever.
//! - **What to try**: the assumptions about all changes ahead that are likeliest to come true, as many as there are slots
//!   and as [`Config::thrift`] allows, by the pass rates that were measured so far; with
//!   [`Guarantee::HeadGreen`], batches of the size that the measured rate makes cheapest. A gate that
//!   was refuted, or that is much less useful than another, is cancelled. No tree is gated twice, unless for a flake.
//! - **What is bad**: a change is judged only on the tip itself. If the tip is not known to be good, it is gated first:
//!   what fails on a red target waits ([`Action::TargetRed`]). A failure that is likely to be a flake, by what second looks
//!   said so far, is looked at again. A change that passed before and fails now is not called bad: the landing that it
//!   does not go with is looked for, several landings at once, and named ([`Rejection::Pair`]).
//! - **What lands**: see [`Guarantee`]. One landing at a time, with a [`Proof`] for each commit.

mod action;
mod admit;
mod batch;
mod blame;
mod check;
mod config;
mod entry;
mod event;
pub(crate) mod graph;
mod history;
mod id;
mod land;
mod leave;
mod nodes;
mod rates;
mod settle;
mod speculate;
mod state;
mod step;
mod verdicts;
mod won;

pub use action::{Action, End, GateRun, Landed, Landing, Proof, Rejection};
pub use check::{Violation, check};
pub use config::{Config, GateKey, Guarantee};
pub use event::{Event, Merge, Submission, Tip, Verdict};
pub use graph::{Footprint, Hunk, Relation, Touch};
pub(crate) use id::Seq;
pub use id::{ChangeId, Digest, GroupId, TreeId};
pub use state::{Attempt, Stage, State};
pub use step::step;
