//! A started sandbox of the host lane.

use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::keep::HostKeeper;
use super::secrets::SecretFiles;
use crate::run::group::Group;
use crate::run::reap::files;
use crate::run::{COOKIE, Image, Keeper, Lane, Mark, owned, token};
use crate::{Command, Error, Limits, Result, Spec, check};

#[derive(Debug)]
pub(super) struct HostLane {
    /// Where control groups are made.
    groups: Option<PathBuf>,
    limits: Limits,
    home: Option<PathBuf>,
}

impl HostLane {
    pub(super) fn new(spec: Spec, groups: Option<PathBuf>) -> Result<Self> {
        check::mounts(&spec)?;
        for mount in &spec.mounts {
            if mount.source != mount.target {
                let problem = "the host lane shows every path where it is; use the native or the docker lane";
                return Err(refused(&mount.target, problem));
            }
        }
        Ok(Self { groups, limits: spec.policy.limits, home: spec.home })
    }
}

fn refused(target: &Path, problem: &str) -> Error {
    Error::InvalidSpec { what: format!("mount target {}", target.display()), problem: problem.into() }
}

impl Lane for HostLane {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn prepare(&self, command: &Command) -> Result<(Box<dyn Keeper>, Image)> {
        let (keeper, image) = self.ready(command)?;
        Ok((Box::new(keeper), image))
    }
}

impl HostLane {
    /// What one command needs.
    pub(super) fn ready(&self, command: &Command) -> Result<(HostKeeper, Image)> {
        let id = token().map_err(|e| Error::Lane { action: "read random bytes".into(), source: e.into() })?;
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
        let group = self.groups.as_ref().map(|place| Group::make(place, &id)).transpose();
        let group = group.map_err(|e| Error::Lane { action: "make a control group".into(), source: e.into() })?;
        Ok((HostKeeper::new(scratch, secrets, mark, group), image))
    }
}

/// The home and temporary directory of one command; gone with it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes it, under a name that nobody else can have had.
    pub(crate) fn make(id: &str) -> Result<Self> {
        let failed = |e: io::Error| Error::Lane { action: "make a scratch directory in /tmp".into(), source: e.into() };
        // The id is fresh and unguessable, and making a directory follows no link: nobody can have prepared this one.
        let scratch = Self(Path::new("/tmp").join(format!("hedgerow-{id}")));
        for directory in [&scratch.0, &scratch.home(), &scratch.tmp()] {
            DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
        }
        let mut owner = OpenOptions::new();
        let owner =
            owner.write(true).create_new(true).mode(0o400).open(scratch.0.join(files::OWNER)).map_err(failed)?;
        io::Write::write_all(&mut &owner, owned::name(id).as_bytes()).map_err(failed)?;
        Ok(scratch)
    }

    #[cfg(feature = "native")]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.0.join("tmp")
    }

    /// Removes it with all that the command put there. Doing it again changes nothing.
    pub(crate) fn remove(&self) {
        files::remove(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}
