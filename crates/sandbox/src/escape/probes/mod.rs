//! The probes, by what they are after.

mod call;
mod engine;
mod exhaust;
mod file;
mod git;
mod kernel;
mod left;
mod life;
mod network;
mod other;
mod process;
mod resource;
mod secret;
mod works;

use super::probe::Probe;

/// What a hostile program tries.
pub(super) fn attacks() -> Vec<Probe> {
    [
        file::READS,
        file::WRITES,
        file::READ_ONLY,
        git::PROBES,
        process::PROBES,
        kernel::NAMESPACES,
        kernel::CALLS,
        kernel::PRIVILEGES,
        kernel::DEVICES,
        network::PROBES,
        engine::PROBES,
        secret::PROBES,
        resource::PROBES,
        life::PROBES,
        left::PROBES,
        call::CALLS,
        call::RIGHTS,
        call::SHOWN,
        other::PROCESSES,
        other::FILES,
        other::SOCKETS,
        other::STAYS,
        exhaust::PROBES,
    ]
    .concat()
}

/// What has to work.
pub(super) fn tools() -> Vec<Probe> {
    works::PROBES.to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::escape::probe::{How, Proof};
    use crate::escape::script::Part;
    use crate::escape::{Category, script, spawn};

    fn all() -> Vec<Probe> {
        [attacks(), tools()].concat()
    }

    #[test]
    fn every_probe_has_a_name_of_its_own_with_its_category() {
        let names: BTreeSet<_> = all().iter().map(Probe::id).collect();
        assert_eq!(names.len(), all().len());
        for probe in all() {
            let category = probe.id().split('.').next().unwrap_or_default();
            assert_eq!(probe.category().to_string(), category, "{}", probe.id());
            assert_eq!(probe.attacks().is_none(), probe.category() == Category::Works, "{}", probe.id());
        }
    }

    #[test]
    fn there_are_many_probes_of_every_kind() {
        assert!(attacks().len() >= 200, "{}", attacks().len());
        for probe in all() {
            let same = all().iter().filter(|other| other.category() == probe.category()).count();
            assert!(same >= 10, "{} of {}", same, probe.category());
        }
    }

    /// One that is not would keep all others in its command from being run.
    #[test]
    fn every_probe_is_a_program() {
        let mut parts = Vec::new();
        for probe in all() {
            let (one, two) = match probe.how {
                How::Together(code) | How::Alone(code, _) => (code, ""),
                How::Twice { plant, look } => (plant, look),
                How::After => continue,
            };
            let instead = if let Proof::Instead(instead) = probe.proof { instead } else { "" };
            parts.extend([one, two, instead].map(|code| (probe.id, 1, placeholders(code))));
        }
        let check = |parts: &[Part]| {
            let text = script::together(&placeholders(script::driver()), "n", parts);
            spawn::script(&format!("BEGIN {{ $^C = 1 }} my $FIRST; {text}"))
        };
        if check(&parts).is_err() {
            let wrong = |part: &Part| check(std::slice::from_ref(part)).err().map(|why| format!("{}: {why}", part.0));
            let wrong: Vec<_> = parts.iter().filter_map(wrong).collect();
            panic!("{}", wrong.join("\n"));
        }
    }

    fn placeholders(code: &str) -> String {
        crate::escape::stage::words::fill(code, |word| Some(if word == "FIRST" { "$FIRST" } else { "7" }.to_owned()))
            .expect("every word is filled")
    }
}
