//! A started sandbox without namespaces.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::NativeOptions;
use super::super::found::Found;
use super::super::group::{Group, Purpose};
use super::super::limited::Limited;
use super::super::wall::Wall;
use super::keep::ConfinedKeeper;
use super::{check, trial, view};
use crate::disk::Disk;
use crate::host::{Scratch, SecretFiles};
use crate::run::{COOKIE, Image, Keeper, Lane, Mark, token};
use crate::{Access, Command, Error, Limits, Mount, Result, Spec};

#[derive(Debug)]
pub(in super::super) struct ConfinedLane {
    options: NativeOptions,
    found: Found,
    mounts: Vec<Mount>,
    home: Option<PathBuf>,
    limits: Limits,
}

impl ConfinedLane {
    pub(in super::super) fn new(options: NativeOptions, found: Found, spec: Spec) -> Result<Self> {
        crate::check::mounts(&spec)?;
        check(&spec)?;
        Ok(Self { options, found, mounts: spec.mounts, home: spec.home, limits: spec.policy.limits })
    }

    /// One that only shows whether it works.
    pub(super) fn trial(options: NativeOptions, found: Found) -> Self {
        Self { options, found, mounts: Vec::new(), home: None, limits: trial() }
    }

    fn wall<'a>(&'a self, scratch: &'a Path, secrets: Option<&Path>) -> Result<Wall> {
        let failed = |source| Error::Lane { action: "make the Landlock ruleset".into(), source };
        let version = self.found.landlock.clone().map_err(|why| failed(why.into()))?;
        let wall = Wall::new(version).map_err(|e| failed(e.into()))?;
        let written = [scratch].into_iter().chain(self.home.as_deref());
        let system = self.options.system.iter().map(PathBuf::as_path).chain(secrets);
        view::allow(&wall, system, &self.mounts, written).map_err(|e| failed(e.into()))?;
        Ok(wall)
    }

    /// What keeps the limits and ends everything, where there are control groups. The supervisor is in it, too.
    fn group(&self, id: &str) -> std::io::Result<Option<Group>> {
        match self.found.bases.as_slice() {
            [] => Ok(None),
            bases => Group::make(bases, id, &self.limits, 1, Purpose::End).map(Some),
        }
    }

    fn disk(&self, scratch: &Path) -> std::io::Result<Option<Disk>> {
        let mounts = self.mounts.iter().filter(|mount| mount.access == Access::ReadWrite).map(|mount| &mount.source);
        let written: Vec<PathBuf> = mounts.chain(&self.home).cloned().chain([scratch.into()]).collect();
        self.limits.disk.map(|limit| Disk::watch(&written, limit)).transpose()
    }
}

impl Lane for ConfinedLane {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn prepare(&self, command: &Command) -> Result<(Box<dyn Keeper>, Image)> {
        let failed = |action: &str, source| Error::Lane { action: action.into(), source };
        let id = token().map_err(|e| failed("read random bytes", e.into()))?;
        let scratch = Scratch::make(&id)?;
        let home = self.home.clone().unwrap_or_else(|| scratch.home());
        let tmp = scratch.tmp();
        let secrets = SecretFiles::write(command, &id)?;
        let place = secrets.directory().unwrap_or(Path::new(""));
        let told: Vec<_> = command.secrets.iter().filter_map(|secret| secret.told(place)).collect();
        let mark = Mark::new(&id);
        let mut variables =
            vec![("HOME", home.as_os_str()), ("TMPDIR", tmp.as_os_str()), (COOKIE, OsStr::new(mark.value()))];
        variables.extend(told.iter().map(|(variable, path)| (*variable, path.as_os_str())));
        let image = Image::new(command, &variables)?;
        let filters = self.found.filters.clone();
        let wall = self.wall(scratch.path(), secrets.directory())?;
        let disk = self.disk(scratch.path()).map_err(|e| failed("watch what is written to the mounts", e.into()))?;
        let group = self.group(&id).map_err(|e| failed("make a control group", e.into()))?;
        let limited = Limited::new(self.limits, group, disk.into_iter().collect());
        Ok((Box::new(ConfinedKeeper { scratch, secrets, mark, filters, limited, wall }), image))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::filter::Filters;
    use super::super::super::group_base::{Base, Swap, Version};
    use super::*;

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that proved nothing must not look like one that did")]
    fn a_command_without_limits_has_a_group_that_ends_it() {
        let directory = match crate::run::group::find() {
            Ok(directory) => directory,
            Err(why) => return eprintln!("SKIPPED: {why}"),
        };
        let mut found = Found::confined(Err("not asked".into()), "not asked".into(), Filters::and(None).unwrap());
        found.bases = vec![Base { directory, version: Version::Two, controllers: Vec::new(), swap: Swap::Free }];
        let lane = ConfinedLane::trial(NativeOptions::default(), found);
        let group = lane.group(&token().unwrap()).unwrap();
        assert_eq!(group.map(|group| group.count()), Some(1));
    }
}
