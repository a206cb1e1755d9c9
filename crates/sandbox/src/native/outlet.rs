//! The one way out of a sandbox with a list: a socket on its own loopback that is served from outside.
//!
//! Process 1 makes the socket, in the network namespace of the sandbox, and hands it out over a pair of sockets. A socket
//! stays in the namespace where it was made, whoever holds it. So the proxy serves it from the embedding process, nothing of
//! ours runs inside, and nothing inside can end it, take its place or reach the socket of another sandbox.

use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, bind, listen, recvmsg, sendmsg, socket_with, socketpair,
};
use tokio::runtime::Handle;

use crate::egress::{PROXY_PORT, Proxy, Serving, VARIABLES};
use crate::{Egress, Error, Network, Result, Spec};

/// How the lane lets out, if a policy asks for it.
pub(super) type Setting = Egress;

/// How many connections wait in the kernel.
const WAITING: i32 = 128;

/// What all commands of a sandbox with a list have in common.
#[derive(Clone, Debug)]
pub(super) struct Outlets {
    proxy: Proxy,
    runtime: Handle,
}

impl Outlets {
    /// None for a sandbox without a list. Called within a runtime.
    pub(super) fn new(setting: &Setting, spec: &Spec) -> Option<Self> {
        let Network::Only(list) = &spec.policy.network else { return None };
        if list.is_empty() {
            return None;
        }
        let proxy = Proxy::new(spec.id.clone(), list.clone(), setting.clone());
        Some(Self { proxy, runtime: Handle::current() })
    }

    pub(super) fn outlet(&self) -> Result<Outlet> {
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let (outside, inside) = pair.map_err(|e| failed(e.into()))?;
        Ok(Outlet { all: self.clone(), outside, inside, serving: Mutex::default() })
    }
}

/// The way out of one command.
#[derive(Debug)]
pub(super) struct Outlet {
    all: Outlets,
    outside: OwnedFd,
    inside: OwnedFd,
    serving: Mutex<Option<Serving>>,
}

impl Outlet {
    /// What programs are told about it.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        VARIABLES.iter().map(|(key, value)| (*key, OsStr::new(*value)))
    }

    /// The end that process 1 hands the socket out over.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.inside.as_fd()
    }

    /// Serves the socket, which process 1 has handed out before the program ran.
    pub(super) fn open(&self) -> Result<()> {
        let socket = receive(&self.outside).map_err(failed)?;
        let _within = self.all.runtime.enter();
        let serving = self.all.proxy.serve(socket)?;
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving);
        Ok(())
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Makes the socket in the namespace of the caller and hands it out. Must neither allocate nor lock nor panic.
pub(super) fn hand_out(to: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, PROXY_PORT))?;
    listen(&socket, WAITING)?;
    let sockets = [socket.as_fd()];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut more = SendAncillaryBuffer::new(&mut room);
    if !more.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(to, &[IoSlice::new(b"s")], &mut more, SendFlags::NOSIGNAL).map(drop)
}

fn receive(from: &OwnedFd) -> io::Result<TcpListener> {
    let mut byte = [0];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut more = RecvAncillaryBuffer::new(&mut room);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut more, flags)?;
    let sockets = more.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    sockets.map(TcpListener::from).next().ok_or_else(|| io::Error::other("process 1 handed no socket out"))
}

fn failed(source: io::Error) -> Error {
    Error::Lane { action: "make the sandbox's way to its proxy".into(), source: source.into() }
}
