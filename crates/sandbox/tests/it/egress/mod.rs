//! Egress by list: the proxy against hostile clients and hostile names, and the lanes that have it.

mod hostile;
mod limits;
mod native;
mod proxy;
pub(crate) mod socket;
pub(crate) mod stand;
mod trouble;
