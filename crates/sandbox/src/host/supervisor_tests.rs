//! A supervisor, seen from the process that forked it.

use std::fs::File;
use std::io::{Read, pipe};
use std::os::fd::AsRawFd;

use rustix::thread::UnshareFlags;

use super::*;
use crate::host::lane::HostLane;
use crate::host::secrets::SecretFiles;
use crate::run::{Image, Keeper, Lane};
use crate::{Command, Policy, SandboxId, Spec};

/// The keeper and the image of a shell that runs `script`.
fn prepared(script: &str) -> (Box<dyn Keeper>, Image) {
    let id = SandboxId::new("supervised").unwrap();
    let spec = Spec { id, labels: [].into(), policy: Policy::open(), mounts: Vec::new(), home: None };
    HostLane::new(spec, None).unwrap().prepare(&Command::new("/bin/sh", "/").args(["-c", script])).unwrap()
}

/// The status of a process that does this with the descriptors of a supervisor, and what it wrote to standard output.
fn status(supervise: impl FnOnce(Forked) -> i32) -> (Option<i32>, String) {
    sys::block_signals();
    let (stdin, _input) = pipe().unwrap();
    let (mut output, stdout) = pipe().unwrap();
    let errors = File::options().write(true).open("/dev/null").unwrap();
    let (_faults, start) = pipe().unwrap();
    let (control, _demands) = pipe().unwrap();
    let (_reports, report) = pipe().unwrap();
    let fds = [
        stdin.as_raw_fd(),
        stdout.as_raw_fd(),
        errors.as_raw_fd(),
        start.as_raw_fd(),
        control.as_raw_fd(),
        report.as_raw_fd(),
    ];
    let child = sys::fork(UnshareFlags::empty(), None, |forked| match sys::place(&forked, fds, fds.len()) {
        Ok(()) => supervise(forked),
        Err(_) => 99,
    });
    drop(stdout);
    let (status, _) = sys::reap(child.unwrap().pid);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    (status, text)
}

/// On a thread of its own: it holds all signals back.
fn apart<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(test).join().unwrap())
}

#[test]
fn a_supervisor_that_gave_its_memory_back_does_not_use_it_again_and_ends_well() {
    let (status, text) = apart(|| {
        let (keeper, image) = prepared("sleep 0.4; echo ran");
        let bound = image.bind();
        status(|forked| keeper.supervise(&bound, forked))
    });
    assert_eq!((status, text.as_str()), (Some(0), "ran\n"));
}

#[test]
fn no_program_starts_when_its_supervisor_was_killed_on_the_way_to_it() {
    let (status, text) = apart(|| {
        let (_keeper, image) = prepared("echo ran");
        let bound = image.bind();
        status(|forked| {
            run(&bound, forked, Duties::without_group(&SecretFiles::default()), 0..0, || {
                let supervisor = rustix::process::getppid();
                // As when the signal came before it could be asked for.
                rustix::process::set_parent_process_death_signal(None).map_err(Fault::at(Stage::Prepare))?;
                if let Some(pid) = supervisor {
                    rustix::process::kill_process(pid, Signal::KILL).map_err(Fault::at(Stage::Prepare))?;
                }
                while rustix::process::getppid() == supervisor {
                    std::hint::spin_loop();
                }
                Ok(())
            })
        })
    });
    assert_eq!((status, text.as_str()), (Some(9), ""), "killed, and nothing ran");
}
