//! What happened in sandboxes, for a log that others can check: who was given what, and what was given up.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Command, Coverage, End, Error, Guarantee, Network, Policy, SandboxId, Stopped, Strength, Usage, Witness};

/// Keeps a log of sandboxes, filled by [`Audited`](crate::Audited).
pub trait Audit: Debug + Send + Sync {
    /// Takes in an event, before what it tells of goes on. It is called from asynchronous code, so it must be quick.
    fn record(&self, event: &Event);
}

/// Something that happened in a sandbox.
///
/// It holds no argument, no value of a variable or secret, and no output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A sandbox was started.
    Started {
        /// Which one.
        sandbox: SandboxId,
        /// In which lane.
        lane: String,
        /// What was demanded.
        policy: Policy,
        /// What the lane says of each guarantee, demanded or not.
        coverage: BTreeMap<Guarantee, Coverage>,
        /// What the policy gives up.
        opt_outs: Vec<OptOut>,
    },
    /// A sandbox was not started, or a command not run.
    Refused {
        /// Which one, or whose.
        sandbox: SandboxId,
        /// In which lane.
        lane: String,
        /// Why.
        why: Refusal,
    },
    /// A sandbox of an earlier process was taken over.
    Adopted {
        /// Which one.
        sandbox: SandboxId,
        /// In which lane.
        lane: String,
    },
    /// A command is about to run.
    Command {
        /// In which sandbox.
        sandbox: SandboxId,
        /// Its number there, from 1.
        number: u64,
        /// Its program.
        program: String,
        /// How many arguments it has.
        arguments: usize,
        /// The names of the secrets that it gets.
        secrets: Vec<String>,
    },
    /// The command that an earlier process had left underway is followed to its end.
    Resumed {
        /// In which sandbox.
        sandbox: SandboxId,
        /// Its number there, from 1.
        number: u64,
    },
    /// A command is over.
    Ended {
        /// In which sandbox.
        sandbox: SandboxId,
        /// Its number.
        number: u64,
        /// How it ended.
        end: End,
        /// How that was learnt.
        witness: Witness,
        /// How long it took.
        wall: Duration,
        /// What it used.
        usage: Usage,
        /// Processes that it left and that were killed, where they were counted.
        leftovers: Option<u32>,
    },
    /// A command could not be followed to its end.
    Failed {
        /// In which sandbox.
        sandbox: SandboxId,
        /// Its number.
        number: u64,
        /// Why.
        why: Refusal,
    },
    /// A sandbox was stopped.
    Stopped {
        /// Which one.
        sandbox: SandboxId,
        /// Whether something still ran.
        killed: bool,
    },
    /// A proxy decided about a connection.
    Connection {
        /// The sandbox that asked.
        sandbox: SandboxId,
        /// The host and port that it asked for, when that could be understood.
        target: Option<(String, u16)>,
        /// The address that it was connected to; none when it was refused or could not be reached.
        address: Option<std::net::IpAddr>,
        /// Why it was not connected.
        why: Option<String>,
        /// How many that were not connected are missing in the log before this, because there were too many.
        #[serde(default)]
        unheard: u64,
        /// How many that were connected are missing in the log before this, because there were too many.
        #[serde(default)]
        unheard_allowed: u64,
    },
}

/// Something that a policy gives up, by its author's explicit choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OptOut {
    /// [`Policy::without`] took this requirement away.
    Without(Guarantee),
    /// This is accepted in part.
    AtLeastPartial(Guarantee),
    /// The host's network is visible.
    HostNetwork,
}

/// Why something was refused or failed, without anything that a caller or a program wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// The lane does not enforce these.
    Policy(Vec<Guarantee>),
    /// The lane cannot be used here.
    Unavailable,
    /// The specification or the command cannot be meant so.
    Invalid,
    /// The program could not be started.
    Program,
    /// The lane failed.
    Lane,
}

impl OptOut {
    /// All that this policy gives up.
    pub fn of(policy: &Policy) -> Vec<Self> {
        let without = policy.waived.iter().filter(|g| !policy.required.contains_key(g)).map(|g| Self::Without(*g));
        let partial = policy.required.iter().filter(|(_, strength)| **strength == Strength::AtLeastPartial);
        let network = (policy.network == Network::Host).then_some(Self::HostNetwork);
        without.chain(partial.map(|(g, _)| Self::AtLeastPartial(*g))).chain(network).collect()
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refused { shortfalls, .. } => Self::Policy(shortfalls.iter().map(|s| s.guarantee).collect()),
            Error::Unavailable { .. } => Self::Unavailable,
            Error::InvalidSpec { .. } => Self::Invalid,
            Error::Program { .. } => Self::Program,
            Error::Lane { .. } => Self::Lane,
        }
    }
}

impl Event {
    pub(crate) fn command(sandbox: SandboxId, number: u64, command: &Command) -> Self {
        Self::Command {
            sandbox,
            number,
            program: command.program.to_string_lossy().into_owned(),
            arguments: command.args.len(),
            secrets: command.secrets.iter().map(|secret| secret.name().to_owned()).collect(),
        }
    }

    pub(crate) fn ended(sandbox: SandboxId, number: u64, exit: &crate::Result<crate::Exit>) -> Self {
        match exit {
            Ok(exit) => Self::Ended {
                sandbox,
                number,
                end: exit.end.clone(),
                witness: exit.witness,
                wall: exit.wall,
                usage: exit.usage,
                leftovers: exit.leftovers,
            },
            Err(error) => Self::Failed { sandbox, number, why: error.into() },
        }
    }

    pub(crate) fn stopped(sandbox: SandboxId, found: Stopped) -> Self {
        Self::Stopped { sandbox, killed: found == Stopped::Killed }
    }
}

/// For [`Egress::observer`](crate::Egress::observer).
#[cfg(feature = "egress")]
impl From<&crate::Decision> for Event {
    fn from(decision: &crate::Decision) -> Self {
        let (address, why) = match &decision.verdict {
            crate::Verdict::Allowed { address } => (Some(*address), None),
            crate::Verdict::Denied { why } | crate::Verdict::Failed { why } => (None, Some(why.clone())),
            crate::Verdict::Broken { why } => (None, Some(format!("the proxy is broken: {why}"))),
        };
        Self::Connection {
            sandbox: decision.sandbox.clone(),
            target: decision.target.clone(),
            address,
            why,
            unheard: decision.unheard,
            unheard_allowed: decision.unheard_allowed,
        }
    }
}
