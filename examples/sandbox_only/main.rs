//! `hedgerow-sandbox` alone: what this machine can enforce, a command in a sandbox, a look from inside, and a refusal.
//!
//! It makes a directory of its own in a temporary directory and prints what it does. Where the standard policy cannot be kept, it
//! says what is missing and fails.

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use hedgerow_sandbox::verify::{Seen, verify};
use hedgerow_sandbox::{
    Access, Command, Coverage, Guarantee, HostSandbox, Mount, NativeSandbox, Output, Policy, Sandbox, SandboxId, Spec,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut out = stdout().lock();
    let tree = dir.path().canonicalize()?;
    let spec = |policy| -> Result<Spec, hedgerow_sandbox::Error> {
        let mounts = vec![Mount { source: tree.clone(), target: tree.clone(), access: Access::ReadWrite }];
        Ok(Spec { id: SandboxId::new("example")?, labels: [].into(), policy, mounts, home: None })
    };

    // What a lane can enforce is found out by trying, on this machine and now.
    let host = HostSandbox::new()?;
    let native = match NativeSandbox::probe() {
        Ok(native) => native,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    writeln!(out, "{:18} {:11} {:11}", "guarantee", host.name(), native.name())?;
    for guarantee in Guarantee::ALL {
        let (one, other) = (word(&host.coverage(guarantee)), word(&native.coverage(guarantee)));
        writeln!(out, "{:18} {one:11} {other:11}", guarantee.to_string())?;
    }

    // A machine may have only what keeps less; then the refusal names each missing piece and its cure.
    let wanted = spec(Policy::standard())?;
    let mut sandbox = match native.start(wanted.clone()).await {
        Ok(sandbox) => sandbox,
        Err(hedgerow_sandbox::Error::Refused { lane, shortfalls }) => {
            writeln!(out, "the {lane} lane cannot keep the standard policy here:")?;
            for missing in shortfalls {
                writeln!(out, "- {missing}")?;
            }
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };

    // A command sees what it was given and nothing else.
    let script = "echo made inside > note; ls /home /root; id -un";
    let mut process = sandbox.exec(Command::new("/bin/sh", &tree).args(["-c", script])).await?;
    while let Some(output) = process.next().await {
        if let Output::Bytes(_, bytes) = output {
            write!(out, "inside: {}", String::from_utf8_lossy(&bytes).replace('\n', " ").trim_end())?;
            writeln!(out)?;
        }
    }
    let exit = process.wait().await?;
    writeln!(out, "it ended so: {:?}, which {:?} saw", exit.end, exit.witness)?;
    writeln!(out, "and left {:?}", std::fs::read_to_string(tree.join("note"))?.trim_end())?;

    // Whether it is so can be looked at from inside.
    let found = verify(&native, &wanted, &mut *sandbox).await?;
    let confirmed = found.findings.iter().filter(|finding| finding.seen == Seen::Confirmed).count();
    writeln!(out, "{confirmed} guarantees confirmed, {} contradicted", found.contradictions().count())?;

    // What cannot be enforced is refused, with everything that is missing, before anything starts.
    match host.start(spec(Policy::standard())?).await {
        Ok(_) => writeln!(out, "the host lane isolates, which it cannot")?,
        Err(refusal) => writeln!(out, "{}", refusal.to_string().split(';').next().unwrap_or_default())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn word(coverage: &Coverage) -> &'static str {
    match coverage {
        Coverage::Enforced => "enforced",
        Coverage::Partial(_) => "in part",
        Coverage::Unenforced(_) => "no",
    }
}
