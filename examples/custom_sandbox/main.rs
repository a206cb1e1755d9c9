//! A lane of one's own: it runs every command through a program of the caller's, as `ssh` or a wrapper script would be, in
//! the lane inside.
//!
//! It prints what came of one command. That it keeps every rule of the traits is shown by the test at the end.

mod prefixed;

use std::error::Error;
use std::io::{Write, stdout};

use hedgerow_sandbox::{Command, HostSandbox, Output, Policy, Sandbox, SandboxId, Spec};
use prefixed::Prefixed;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let lane = Prefixed::new(HostSandbox::new()?, ["nice", "-n", "10"]);
    let spec =
        Spec { id: SandboxId::new("example")?, labels: [].into(), policy: Policy::open(), mounts: vec![], home: None };
    let mut sandbox = lane.start(spec).await?;
    let mut process = sandbox.exec(Command::new("nice", "/")).await?;
    let mut out = stdout().lock();
    while let Some(output) = process.next().await {
        if let Output::Bytes(_, bytes) = output {
            write!(out, "the {} lane is so nice: {}", lane.name(), String::from_utf8_lossy(&bytes))?;
        }
    }
    writeln!(out, "it ended so: {:?}", process.wait().await?.end)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hedgerow_sandbox::conformance::{self, Shell};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lane_of_ones_own_keeps_every_rule() {
        let factory = async || Prefixed::new(HostSandbox::new().unwrap(), ["nice", "-n", "1"]);
        let report = conformance::check(Shell, factory).await;
        report.assert();
        assert!(report.kept.len() > 30, "{report}");
    }
}
