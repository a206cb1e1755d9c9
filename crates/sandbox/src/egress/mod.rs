//! Egress by list: which connections may leave a sandbox that has no network of its own.

mod host;
mod list;

pub use list::{AllowList, Endpoint};
