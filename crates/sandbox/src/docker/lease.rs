//! The claim of one process to one container.
//!
//! The labels of a container never change, so the first claim stands there, and each later one in the container's name, which the
//! engine changes for one caller at a time and only from the name that the caller knew.

use std::fmt;

use bollard::models::ContainerSummary;

use super::owner::Owner;

/// The label that holds the first [`Lease`].
pub(super) const LEASE: &str = "hedgerow.lease";
const TAKEN: &str = ".taken-";

/// Who holds a container, as which of its owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// From 1, one more with each owner.
    pub(super) epoch: u64,
    pub(super) owner: Owner,
}

impl Lease {
    /// The newest claim to a container; none when it carries none that can be understood.
    pub(super) fn of(container: &ContainerSummary) -> Option<Self> {
        let (_, taken) = split(name(container)?);
        taken.or_else(|| Self::parse(container.labels.as_ref()?.get(LEASE)?))
    }

    /// The name that a container gets with this claim.
    pub(super) fn name(&self, now: &str) -> String {
        format!("{}{TAKEN}{self}", split(now).0)
    }

    fn parse(text: &str) -> Option<Self> {
        let (epoch, owner) = text.split_once('-')?;
        Some(Self { epoch: epoch.parse().ok()?, owner: Owner::parse(owner)? })
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.owner)
    }
}

/// The name of a container; the engine puts a slash before it.
pub(super) fn name(container: &ContainerSummary) -> Option<&str> {
    container.names.iter().flatten().map(|name| name.trim_start_matches('/')).find(|name| !name.contains('/'))
}

/// The name that a container was given before it was taken over.
pub(super) fn given_name(name: &str) -> &str {
    split(name).0
}

/// The id of a sandbox may hold anything that a claim holds, but it does not end a name.
fn split(name: &str) -> (&str, Option<Lease>) {
    match name.rsplit_once(TAKEN).map(|(given, lease)| (given, Lease::parse(lease))) {
        Some((given, lease @ Some(_))) => (given, lease),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "1-10-20-30-40-b-same";

    fn container(name: &str, label: &str) -> ContainerSummary {
        ContainerSummary {
            names: Some(vec![format!("/{name}")]),
            labels: Some([(LEASE.to_owned(), label.to_owned())].into()),
            ..Default::default()
        }
    }

    #[test]
    fn the_claim_in_the_name_is_newer_than_the_one_in_the_label() {
        let first = Lease::of(&container("hedgerow-s-1", FIRST)).expect("a lease");
        assert_eq!((first.epoch, first.owner.pid()), (1, 10));
        let second = Lease { epoch: 2, owner: Owner::parse("11-20-30-40-b-same").expect("an owner") };
        let name = second.name("hedgerow-s-1");
        assert_eq!(Lease::of(&container(&name, FIRST)), Some(second));
        let third = Lease { epoch: 3, owner: Owner::parse("12-20-30-40-b-same").expect("an owner") };
        assert_eq!(given_name(&third.name(&name)), "hedgerow-s-1");
    }

    #[test]
    fn a_sandbox_that_is_called_like_a_claim_makes_none() {
        let name = format!("hedgerow-s{TAKEN}{FIRST}-1");
        assert_eq!(Lease::of(&container(&name, "")), None);
        assert_eq!(given_name(&name), name);
    }
}
