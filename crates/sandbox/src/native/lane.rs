//! A started sandbox of the native lane.

use std::path::PathBuf;

use super::enter::Maps;
use super::found::Found;
use super::group::{Group, Purpose};
use super::keep::{NativeKeeper, OURS};
use super::layout::{self, User};
use super::limited::Limited;
use super::outlet::{Outlet, Outlets};
use super::wall::Wall;
use super::{LANE, NativeOptions};
use crate::disk::Disk;
use crate::run::{Image, Keeper, Lane, token};
use crate::{Access, Command, Error, Limits, Mount, Network, Result, Spec};

#[derive(Debug)]
pub(super) struct NativeLane {
    pub(super) options: NativeOptions,
    pub(super) found: Found,
    pub(super) mounts: Vec<Mount>,
    pub(super) home: Option<PathBuf>,
    pub(super) limits: Limits,
    pub(super) network: Network,
    pub(super) outlets: Option<Outlets>,
}

impl NativeLane {
    pub(super) fn new(options: NativeOptions, found: Found, spec: Spec, outlets: Option<Outlets>) -> Result<Self> {
        crate::check::mounts(&spec)?;
        crate::pinned::sources(LANE, &spec, layout::HOME.as_ref())?;
        let Spec { mounts, home, policy, .. } = spec;
        let lane = Self { options, found, mounts, home, limits: policy.limits, network: policy.network, outlets };
        // A mount that cannot work is better refused now than at the first command.
        lane.plan(user().0)?;
        Ok(lane)
    }

    /// A watch over what one command writes, when there is something to write to and a limit to keep.
    fn disk(&self) -> std::io::Result<Option<Disk>> {
        let mounts = self.mounts.iter().filter(|mount| mount.access == Access::ReadWrite).map(|mount| &mount.source);
        let written: Vec<PathBuf> = mounts.chain(&self.home).cloned().collect();
        let limit = self.limits.disk.filter(|_| !written.is_empty());
        limit.map(|limit| Disk::watch(&written, limit)).transpose()
    }

    fn plan(&self, user: User) -> Result<super::blueprint::Blueprint> {
        layout::plan(&self.options, &self.mounts, self.home.as_deref(), &self.limits, &self.network, user)
    }
}

impl Lane for NativeLane {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn prepare(&self, command: &Command) -> Result<(Box<dyn Keeper>, Image)> {
        let failed = |action: &str, source| Error::Lane { action: action.into(), source };
        let (user, maps) = user();
        let mut blueprint = self.plan(user)?;
        layout::secrets(&mut blueprint, command)?;
        let filters = self.found.filters.clone();
        let mut variables = vec![("HOME", layout::HOME.as_ref()), ("TMPDIR", "/tmp".as_ref())];
        let told: Vec<_> = command.secrets.iter().filter_map(|s| s.told(layout::SECRETS.as_ref())).collect();
        variables.extend(told.iter().map(|(variable, path)| (*variable, path.as_os_str())));
        let outlet = self.outlets.as_ref().map(Outlets::outlet).transpose()?;
        variables.extend(outlet.iter().flat_map(Outlet::variables));
        let image = Image::new(command, &variables)?;
        let group = match self.found.bases.as_slice() {
            [] => None,
            bases => {
                let token = token().map_err(|e| failed("read random bytes", e.into()))?;
                let group = Group::make(bases, &token, &self.limits, OURS, Purpose::Limits);
                Some(group.map_err(|e| failed("make a control group", e.into()))?)
            }
        };
        let wall = self.found.landlock.as_ref().ok().map(|version| Wall::new(*version)).transpose();
        let wall = wall.map_err(|e| failed("make the Landlock ruleset", e.into()))?;
        let disk = self.disk().map_err(|e| failed("watch what is written to the mounts", e.into()))?;
        let (limited, network) = (Limited::new(self.limits, group, disk.into_iter().collect()), self.network.clone());
        Ok((Box::new(NativeKeeper { blueprint, maps, filters, limited, network, wall, outlet }), image))
    }
}

/// Who the program is: the same user as outside, so that it owns the same files; and an ordinary one where that is root.
pub(super) fn user() -> (User, Maps) {
    let inside = |id: u32| if id == 0 { 1000 } else { id };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let map = |id: u32| format!("{} {id} 1", inside(id)).into_bytes();
    (User { uid: inside(uid), gid: inside(gid) }, Maps { uid: map(uid), gid: map(gid) })
}

/// The error for a lane that cannot be used here.
pub(super) fn unavailable(problem: impl Into<String>) -> Error {
    Error::Unavailable { lane: LANE, problem: problem.into() }
}
