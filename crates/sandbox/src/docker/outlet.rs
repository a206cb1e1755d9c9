//! The way out of a container with a list: a socket on its own loopback that this process serves.
//!
//! A socket stays in the network namespace where it was made. So a thread of this process enters that of the container, makes
//! the socket there, and ends; nothing runs inside for it. The program waits until it is there.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::egress::{PROXY_PORT, Proxy, Serving};
use crate::{Egress, Error, Network, Result, Spec};

use super::engine::Engine;

/// How the lane lets out, if a policy asks for it.
pub(super) type Setting = Egress;
/// The way out of one container; dropping it closes it.
pub(super) type Outlet = Serving;
/// What all commands of a sandbox with a list have in common.
#[derive(Clone, Debug)]
pub(super) struct Outlets(Proxy);

/// What programs are told about it.
pub(super) use crate::egress::VARIABLES;

/// Why no container can be entered from here; none when it can, which is found by entering the namespace that this process is in.
pub(super) fn problem() -> Option<String> {
    let entered = std::thread::spawn(|| enter(&File::open("/proc/self/ns/net")?)).join();
    match entered {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("this process may not enter the network of a container ({error})")),
        Err(_) => Some("a thread that tried to enter a network panicked".into()),
    }
}

/// Resolves when it is of no use any more, with the reason.
pub(super) async fn broken(outlet: &mut Option<Outlet>) -> Error {
    match outlet {
        Some(outlet) => outlet.broken().await,
        None => std::future::pending().await,
    }
}

/// Ends all of its connections.
pub(super) fn close(outlet: Outlet) {
    drop(outlet);
}

impl Outlets {
    /// None for a sandbox without a list.
    pub(super) fn new(setting: &Setting, spec: &Spec) -> Option<Self> {
        let Network::Only(list) = &spec.policy.network else { return None };
        (!list.is_empty()).then(|| Self(Proxy::new(spec.id.clone(), list.clone(), setting.clone())))
    }

    /// Makes the socket in a container that was started, and serves it; none when the container has ended already.
    pub(super) async fn open(&self, engine: &Engine, container: &str) -> Result<Option<Outlet>> {
        let failed = |e: io::Error| Error::Lane { action: "enter a container's network".into(), source: e.into() };
        let Some(process) = engine.process(container).await? else { return Ok(None) };
        let namespace = File::open(format!("/proc/{process}/ns/net"));
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup"));
        // The number may have become another process's in between, and it may count in another machine's or container's list.
        if engine.process(container).await? != Some(process) {
            return Ok(None);
        }
        let (namespace, groups) = (namespace.map_err(failed)?, groups.map_err(failed)?);
        if !groups.contains(container) {
            let why = format!("process {process}, which the engine says is the container's, is another one here");
            return Err(failed(io::Error::other(why)));
        }
        // A thread of its own: it does not come back from there.
        let make = move || {
            enter(&namespace)?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, PROXY_PORT))
        };
        let made = tokio::task::spawn_blocking(|| std::thread::spawn(make).join()).await;
        let socket =
            made.map_err(|e| failed(e.into()))?.map_err(|_| failed(io::Error::other("its thread panicked")))?;
        self.0.serve(socket.map_err(failed)?).map(Some)
    }
}

fn enter(namespace: &File) -> io::Result<()> {
    use std::os::fd::AsFd;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}
