//! The probes, by what they are after.

mod files;
mod handback;
mod limits;
mod network;
mod processes;
mod repository;

use super::probe::Probe;

/// All probes in the order of the table.
pub(super) fn all() -> Vec<Probe> {
    [files::PROBES, repository::PROBES, handback::PROBES, network::PROBES, processes::PROBES, limits::PROBES].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_probe_has_a_name_of_its_own() {
        let names: BTreeSet<_> = all().iter().map(|probe| probe.id).collect();
        assert_eq!(names.len(), all().len());
    }
}
