//! What a probe is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Guarantee;

/// One thing that a hostile program tries, or that an honest one must be able to do.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub(super) id: &'static str,
    pub(super) tries: &'static str,
    pub(super) attacks: Option<Guarantee>,
    pub(super) expected: Expected,
    pub(super) how: How,
    pub(super) effect: Effect,
    pub(super) proof: Proof,
}

/// What kind of thing a probe is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Category {
    /// Files and directories outside of what is shown, and read-only ones inside.
    File,
    /// Files that git on the host would act on.
    Git,
    /// Other processes of the machine.
    Process,
    /// What the kernel offers: namespaces, mounts, devices, privileges, rare system calls.
    Kernel,
    /// Connections to anything.
    Network,
    /// Using up the machine, and lifting one's own limits.
    Resource,
    /// The container engine and other daemons of the host.
    Engine,
    /// Keys, shared memory, variables.
    Secret,
    /// Not ending, and output that does harm.
    Life,
    /// What the next command, the next sandbox or the host finds afterwards.
    Left,
    /// What must work.
    Works,
}

/// What must become of a probe in a lane that promises what the probe attacks.
///
/// A lane that does not promise it is expected to be as the machine is without a sandbox; that is reported and fails nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Expected {
    /// The try fails.
    Blocked,
    /// The try fails, or it works on what is the sandbox's own, and nothing outside changes.
    Harmless,
    /// A limit stops or ends it.
    Limited,
    /// It works: a sandbox that breaks tools gets switched off.
    Works,
}

/// How a probe is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// In one command with many others, as a process of its own.
    Together(&'static str),
    /// In a command of its own.
    Alone(&'static str, Manner),
    /// Once in one command, and then somebody looks: in the next command, and in the next sandbox.
    Twice { plant: &'static str, look: &'static str },
    /// Nothing is run: what is left when all is over.
    After,
}

/// What is special about a command of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing.
    Plain,
    /// Its deadline comes soon.
    Hurried,
    /// Whoever started it loses interest once it has said `READY`.
    Dropped,
    /// CPU time is limited.
    Slowed,
    /// A secret of the probe is in its environment.
    Told,
    /// It runs in a working directory that leads through somebody's descriptor.
    Through,
    /// Twice in a sandbox of its own, with a mount below what the first run makes a link.
    Swapped,
    /// In a sandbox of its own, with a mount some directories below a place that may be written.
    Pinned,
}

/// How it is seen from outside what came of a probe. Paths are templates as the code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing is: the system call either works or does not.
    Said,
    /// Nothing is: it works on the sandbox's own, or does not.
    Own,
    /// This file is there.
    Appears(&'static str),
    /// This file is gone.
    Vanishes(&'static str),
    /// This file has another content, owner, mode or time.
    Changes(&'static str),
    /// The file that was mounted over one of the tree's is changed, or the one under it is.
    Unpins,
    /// This file would run as somebody else.
    Privileged(&'static str),
    /// The secret of the probe was printed.
    Leaks,
    /// What this file of the host holds was printed.
    Reads(&'static str),
    /// What this directory of the host is was printed.
    Sees(&'static str),
    /// A service of the host heard the name of the probe.
    Heard,
    /// The process that was given to the probe is dead, stopped, or treated in another way.
    Disturbs,
    /// A process of the probe is alive.
    Survives,
    /// More processes of the probe at once than the limit.
    Crowds,
    /// More memory of the probe's processes at once than the limit.
    Hoards,
    /// More output was kept than the limit.
    Floods,
    /// The command did not end.
    Hangs,
    /// Output did not arrive as it was written.
    Mangles,
    /// The secret was in a command line of the host while the command ran.
    Shows,
    /// Something of this kind is left.
    Remains(Rest),
}

/// What a lane may leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Processes,
    Mounts,
    Sandboxes,
    Files,
}

/// How it is shown that a probe means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It gets through without a sandbox, on any machine.
    Must,
    /// It gets through without a sandbox, unless the machine or the user's rights forbid it.
    IfAllowed,
    /// It would do harm; this one gets through instead.
    Instead(&'static str),
    /// There is nothing to compare it with.
    None(&'static str),
}

/// A probe that runs with others, says by itself what came of it, and has to be blocked.
pub(super) const fn probe(id: &'static str, tries: &'static str, attacks: Guarantee, code: &'static str) -> Probe {
    let (expected, how) = (Expected::Blocked, How::Together(code));
    Probe { id, tries, attacks: Some(attacks), expected, how, effect: Effect::Said, proof: Proof::Must }
}

/// Something that has to work.
pub(super) const fn tool(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    let (expected, how) = (Expected::Works, How::Together(code));
    Probe { id, tries, attacks: None, expected, how, effect: Effect::Own, proof: Proof::IfAllowed }
}

impl Probe {
    pub(super) const fn seen(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    pub(super) const fn expect(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    /// The same where the machine itself may forbid it.
    pub(super) const fn if_allowed(mut self) -> Self {
        self.proof = Proof::IfAllowed;
        self
    }

    pub(super) const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    pub(super) const fn alone(mut self, manner: Manner) -> Self {
        if let How::Together(code) = self.how {
            self.how = How::Alone(code, manner);
        }
        self
    }

    pub(super) const fn then(mut self, look: &'static str) -> Self {
        if let How::Together(plant) = self.how {
            self.how = How::Twice { plant, look };
        }
        self
    }

    pub(super) const fn after(mut self) -> Self {
        self.how = How::After;
        self
    }

    /// Its stable name, for example `file.read-secret`.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// What it tries, in words.
    pub fn tries(&self) -> &'static str {
        self.tries
    }

    /// The guarantee that it attacks; none for what must work.
    pub fn attacks(&self) -> Option<Guarantee> {
        self.attacks
    }

    /// What must become of it where that guarantee is promised.
    pub fn expected(&self) -> Expected {
        self.expected
    }

    /// What it is after; the part of its name before the point.
    pub fn category(&self) -> Category {
        match self.id.split('.').next() {
            Some("file") => Category::File,
            Some("git") => Category::Git,
            Some("process") => Category::Process,
            Some("kernel") => Category::Kernel,
            Some("network") => Category::Network,
            Some("resource") => Category::Resource,
            Some("engine") => Category::Engine,
            Some("secret") => Category::Secret,
            Some("life") => Category::Life,
            Some("left") => Category::Left,
            _ => Category::Works,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::File => "file",
            Self::Git => "git",
            Self::Process => "process",
            Self::Kernel => "kernel",
            Self::Network => "network",
            Self::Resource => "resource",
            Self::Engine => "engine",
            Self::Secret => "secret",
            Self::Life => "life",
            Self::Left => "left",
            Self::Works => "works",
        })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blocked => "blocked",
            Self::Harmless => "blocked or contained",
            Self::Limited => "limited",
            Self::Works => "works",
        })
    }
}
