//! Lanes around lanes: each is a [`Sandbox`](crate::Sandbox) that adds one thing to the one inside.

mod audited;
mod limited;
mod relay;
mod timeout;

pub use audited::Audited;
pub use limited::Limited;
pub use timeout::Timeout;
