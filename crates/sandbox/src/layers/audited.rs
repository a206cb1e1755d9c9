//! A lane that keeps a log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::relay::{Link, relay};
use crate::audit::{Audit, Event, OptOut};
use crate::{Command, Coverage, Guarantee, Labels, Process, Result, Running, Sandbox, SandboxId, Spec, Stopped, Usage};

/// A lane that tells an [`Audit`] what is started, refused, run and ended in the lane inside.
#[derive(Debug)]
pub struct Audited<S> {
    inner: S,
    audit: Arc<dyn Audit>,
}

impl<S: Sandbox> Audited<S> {
    /// The lane `inner`, with a log in `audit`.
    pub fn new(inner: S, audit: Arc<dyn Audit>) -> Self {
        Self { inner, audit }
    }

    fn around(&self, sandbox: SandboxId, running: Box<dyn Running>) -> Box<dyn Running> {
        let (audit, lane) = (Arc::clone(&self.audit), self.name());
        Box::new(AuditedRunning { running, audit, lane, sandbox, number: 0, link: None })
    }
}

#[async_trait]
impl<S: Sandbox> Sandbox for Audited<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.inner.coverage(guarantee)
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        let (sandbox, policy, lane) = (spec.id.clone(), spec.policy.clone(), self.name().to_owned());
        match self.inner.start(spec).await {
            Ok(running) => {
                let coverage = Guarantee::ALL.map(|g| (g, self.coverage(g))).into();
                let opt_outs = OptOut::of(&policy);
                self.audit.record(&Event::Started { sandbox: sandbox.clone(), lane, policy, coverage, opt_outs });
                Ok(self.around(sandbox, running))
            }
            Err(error) => {
                self.audit.record(&Event::Refused { sandbox, lane, why: (&error).into() });
                Err(error)
            }
        }
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        let Some(running) = self.inner.adopt(id).await? else { return Ok(None) };
        self.audit.record(&Event::Adopted { sandbox: id.clone(), lane: self.name().to_owned() });
        Ok(Some(self.around(id.clone(), running)))
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.inner.list(labels).await
    }
}

#[derive(Debug)]
struct AuditedRunning {
    running: Box<dyn Running>,
    audit: Arc<dyn Audit>,
    lane: &'static str,
    sandbox: SandboxId,
    number: u64,
    link: Option<Link>,
}

impl AuditedRunning {
    fn around(&mut self, process: Process) -> Process {
        let (audit, sandbox, number) = (Arc::clone(&self.audit), self.sandbox.clone(), self.number);
        let (process, link) = relay(process, move |exit| audit.record(&Event::ended(sandbox, number, exit)));
        self.link = Some(link);
        process
    }
}

#[async_trait]
impl Running for AuditedRunning {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        if let Some(link) = &self.link {
            link.hasten();
        }
        self.number += 1;
        self.audit.record(&Event::command(self.sandbox.clone(), self.number, &command));
        match self.running.exec(command).await {
            Ok(process) => Ok(self.around(process)),
            Err(error) => {
                let (sandbox, lane) = (self.sandbox.clone(), self.lane.to_owned());
                self.audit.record(&Event::Refused { sandbox, lane, why: (&error).into() });
                Err(error)
            }
        }
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        let Some(process) = self.running.resume().await? else { return Ok(None) };
        self.number += 1;
        self.audit.record(&Event::Resumed { sandbox: self.sandbox.clone(), number: self.number });
        Ok(Some(self.around(process)))
    }

    async fn usage(&self) -> Result<Usage> {
        self.running.usage().await
    }

    async fn stop(self: Box<Self>, grace: Duration) -> Result<Stopped> {
        let stopped = self.running.stop(grace).await?;
        self.audit.record(&Event::stopped(self.sandbox, stopped));
        Ok(stopped)
    }
}
