//! What the lanes share to run one command: output, deadlines, and the end of a process tree.

mod intake;

pub(crate) use intake::Intake;
