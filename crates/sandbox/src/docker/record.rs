//! What a container carries about itself, so that another process can take it over.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{Command, Error, Labels, Mount, Policy, Result, SandboxId, Spec};

use super::{LANE, entry};

/// The label that holds the id of the sandbox.
pub(super) const SANDBOX: &str = "hedgerow.sandbox";
/// The label that holds a [`Record`] as JSON.
pub(super) const RECORD: &str = "hedgerow.record";

/// What a command was given on standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Given {
    /// Its input is empty.
    Nothing,
    /// Bytes that have to reach it whole.
    Input,
}

impl Given {
    pub(super) fn to(spec: &Spec, command: &Command) -> Self {
        if command.stdin.is_empty() && !entry::is_needed(spec, command) { Self::Nothing } else { Self::Input }
    }
}

/// One command of one sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Which command of its sandbox, from 1.
    pub(super) number: u64,
    /// When it was made, in milliseconds since 1970.
    pub(super) made: u64,
    pub(super) deadline: Duration,
    pub(super) idle: Option<Duration>,
    pub(super) grace: Duration,
    pub(super) program: PathBuf,
    pub(super) given: Given,
    labels: Labels,
    policy: Policy,
    mounts: Vec<Mount>,
    home: Option<PathBuf>,
}

impl Record {
    pub(super) fn new(spec: &Spec, command: &Command, number: u64) -> Self {
        Self {
            number,
            made: now(),
            deadline: command.deadline,
            idle: command.idle,
            grace: command.grace,
            program: command.program.clone().into(),
            given: Given::to(spec, command),
            labels: spec.labels.clone(),
            policy: spec.policy.clone(),
            mounts: spec.mounts.clone(),
            home: spec.home.clone(),
        }
    }

    /// The labels of the container: the lane's, the sandbox's, and ours.
    pub(super) fn to_labels(&self, id: &SandboxId, lane: &Labels) -> Result<HashMap<String, String>> {
        let record = serde_json::to_string(self).map_err(|source| Error::Lane {
            action: format!("describe a command of sandbox {id}"),
            source: source.into(),
        })?;
        let mut labels: HashMap<_, _> = self.labels.iter().chain(lane).map(|(k, v)| (k.clone(), v.clone())).collect();
        labels.insert(SANDBOX.into(), id.to_string());
        labels.insert(RECORD.into(), record);
        Ok(labels)
    }

    /// Reads what [`to_labels`](Self::to_labels) wrote.
    pub(super) fn from_labels(labels: &HashMap<String, String>) -> Result<Self> {
        let text = labels.get(RECORD).map_or("", String::as_str);
        serde_json::from_str(text).map_err(|source| Error::Lane {
            action: format!("understand a container of the {LANE} lane (its label {RECORD})"),
            source: source.into(),
        })
    }

    /// The sandbox that the command ran in.
    pub(super) fn spec(&self, id: &SandboxId) -> Spec {
        Spec {
            id: id.clone(),
            labels: self.labels.clone(),
            policy: self.policy.clone(),
            mounts: self.mounts.clone(),
            home: self.home.clone(),
        }
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// How long ago it was made. A clock that was set back makes it new rather than old.
    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(now().saturating_sub(self.made))
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_from_its_labels_as_it_was() {
        let id = SandboxId::new("s1").expect("valid");
        let labels = Labels::from([("task".into(), "t".into())]);
        let spec = Spec { id: id.clone(), labels, policy: Policy::strict(), mounts: vec![], home: Some("/h".into()) };
        let record = Record::new(&spec, &Command::new("sh", "/"), 3);
        let lane = Labels::from([("project".into(), "p".into())]);
        let labels = record.to_labels(&id, &lane).expect("labels");
        assert_eq!(labels.get("task").map(String::as_str), Some("t"));
        assert_eq!(labels.get("project").map(String::as_str), Some("p"));
        assert_eq!(labels.get(SANDBOX).map(String::as_str), Some("s1"));
        let back = Record::from_labels(&labels).expect("record");
        assert_eq!(back, record);
        assert_eq!(back.spec(&id).policy, spec.policy);
    }
}
