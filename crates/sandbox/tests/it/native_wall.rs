//! Landlock behind the namespaces: what it stops that they do not, and what the lane says without it.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;

use hedgerow_sandbox::{
    Access, Command, Demand, Error, Guarantee, HostSandbox, Mechanism, Mount, NativeOptions, NativeSandbox, Network,
    Policy, Sandbox, Spec,
};
use rustix::fs::{Mode, OFlags, openat};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use seccompiler::{SeccompAction, SeccompFilter, apply_filter};

use crate::probe::{Outcome, seen_inside};
use crate::world::{native, open, run, skipped, spec};

const HANDED: &str = "HEDGEROW_TEST_HANDED";
const DENIED: &str = "HEDGEROW_TEST_DENIED";

/// Whether this kernel's Landlock has this version, which a test needs; said loudly where not.
fn has(lane: &NativeSandbox, version: u32) -> bool {
    let found = lane.facts().landlock;
    let enough = found.as_ref().is_ok_and(|v| *v >= version);
    if !enough {
        skipped(&format!("Landlock {version} is needed here: {found:?}"));
    }
    enough
}

fn errno<T>(result: rustix::io::Result<T>) -> i32 {
    result.err().map_or(0, rustix::io::Errno::raw_os_error)
}

/// Inside: takes a directory from the one who listens, and tries to use it.
#[test]
fn role_handed() {
    let Some(socket) = std::env::var_os(HANDED) else { return };
    let stream = UnixStream::connect(socket).unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&stream, &mut [std::io::IoSliceMut::new(&mut [0])], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let taken = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let directory: OwnedFd = taken.unwrap();
    let read = openat(&directory, "key", OFlags::RDONLY, Mode::empty());
    let made = openat(&directory, "new", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o600));
    writeln!(std::io::stdout(), "\nHANDED {} {}", errno(read), errno(made)).unwrap();
}

/// Gives `directory` to the first who connects, and returns what that one could do with it.
async fn hand(lane: &dyn Sandbox, mut spec: Spec, program: &str, directory: &Path) -> (i32, i32) {
    let tree = tempfile::tempdir().unwrap();
    let socket = tree.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    spec.mounts.push(Mount { source: tree.path().into(), target: tree.path().into(), access: Access::ReadWrite });
    let given = std::fs::File::open(directory).unwrap();
    let giver = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let fds = [given.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&stream, &[std::io::IoSlice::new(b"x")], &mut ancillary, SendFlags::empty()).unwrap();
    });
    let command = Command::new(program, "/").args(["--exact", "native_wall::role_handed", "--nocapture"]);
    let seen = run(lane, spec, command.env(HANDED, &socket)).await.ok();
    giver.join().unwrap();
    let line = seen.out().lines().find_map(|line| line.strip_prefix("HANDED ")).expect("what it could do");
    let (read, made) = line.split_once(' ').unwrap();
    (read.parse().unwrap(), made.parse().unwrap())
}

#[tokio::test]
async fn a_directory_of_the_host_that_somebody_hands_in_opens_nothing_below() {
    let Some(lane) = native() else { return };
    if !has(&lane, 2) {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("key"), "secret").unwrap();
    let program = crate::probe::path();
    assert_eq!(hand(&HostSandbox::new().unwrap(), open(), &program, outside.path()).await, (0, 0));
    std::fs::remove_file(outside.path().join("new")).unwrap();
    let mut wanted = spec(Policy::standard());
    wanted.mounts.push(Mount { source: (&program).into(), target: "/handed".into(), access: Access::ReadOnly });
    let could = hand(&lane, wanted, "/handed", outside.path()).await;
    assert_eq!(could, (libc::EACCES, libc::EACCES));
    assert!(!outside.path().join("new").exists());
}

/// With the host's network, abstract sockets come along: a message bus of the user's starts programs for who asks.
#[tokio::test]
async fn an_abstract_socket_of_the_host_is_out_of_reach_even_with_its_network() {
    let Some(lane) = native() else { return };
    if !has(&lane, 6) {
        return;
    }
    let name = format!("hedgerow-wall-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let probe = format!("abstract {name}");
    assert_eq!(crate::probe::on_host(&probe).await, Outcome::Allowed);
    let mut policy = Policy::standard().without(Guarantee::NoNetwork).without(Guarantee::Egress);
    policy.network = Network::Host;
    let seen = seen_inside(&lane, spec(policy), &probe).await.ok();
    assert!(seen.text().contains(&format!("PROBE {}", libc::EPERM)), "{}", seen.text());
    drop(listener);
}

/// Probes in a process in which one call is refused, as in a container or on another kernel.
#[test]
fn role_denied() {
    let Ok(role) = std::env::var(DENIED) else { return };
    let mut words = role.split(' ');
    let mut number = || words.next().unwrap().parse::<i64>().unwrap();
    let (call, answer, demand) = (number(), u32::try_from(number()).unwrap(), number());
    let rules = BTreeMap::from([(call, Vec::new())]);
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(answer), here).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    apply_filter(&program).unwrap();
    let mut options = NativeOptions::default();
    match demand {
        1 => options.landlock = Demand::Required,
        2 => options.mechanism = Some(Mechanism::Namespaces),
        _ => {}
    }
    let said = match NativeSandbox::probe_with(options) {
        Ok(lane) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let facts = lane.facts();
            runtime.block_on(async {
                match lane.start(spec(Policy::standard())).await {
                    Err(error) => format!("refused: {error} {facts:?}"),
                    Ok(_) => {
                        let seen = run(&lane, spec(Policy::standard()), crate::world::sh("echo works")).await;
                        format!("{}: {facts:?}", seen.out())
                    }
                }
            })
        }
        Err(Error::Unavailable { problem, .. }) => format!("unavailable: {problem}"),
        Err(error) => format!("{error:?}"),
    };
    writeln!(std::io::stdout(), "\nSAID {said}").unwrap();
}

/// What it says when one call is answered so; `demand` 1 requires Landlock, 2 namespaces.
pub(crate) fn denied(call: i64, answer: i32, demand: u8) -> String {
    let output = std::process::Command::new(crate::probe::path())
        .args(["--exact", "native_wall::role_denied", "--nocapture"])
        .env(DENIED, format!("{call} {answer} {demand}"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().find_map(|line| line.strip_prefix("SAID ")).unwrap_or_else(|| panic!("{output:?}")).to_owned()
}

#[test]
fn a_kernel_without_landlock_is_named_and_refused_only_where_it_is_demanded() {
    if native().is_none() {
        return;
    }
    for (answer, cure) in
        [(libc::EOPNOTSUPP, "lsm="), (libc::ENOSYS, "CONFIG_SECURITY_LANDLOCK"), (libc::EPERM, "filter")]
    {
        let call = libc::SYS_landlock_create_ruleset;
        let without = denied(call, answer, 0);
        assert!(without.starts_with("works: ") && without.contains(cure), "{without}");
        let demanded = denied(call, answer, 1);
        assert!(
            demanded.starts_with("unavailable: its options require Landlock") && demanded.contains(cure),
            "{demanded}"
        );
    }
}

#[test]
fn landlock_that_lies_about_itself_is_no_silent_fallback() {
    if native().is_none() {
        return;
    }
    // The version is told and the restriction refused, as by a filter that knows only the first of the calls.
    let said = denied(libc::SYS_landlock_restrict_self, libc::EPERM, 0);
    assert!(said.starts_with("unavailable: ") && said.contains("Landlock"), "{said}");
}

#[test]
fn a_required_landlock_that_is_there_is_used() {
    let Some(lane) = native() else { return };
    if has(&lane, 2) {
        let demanded = NativeSandbox::probe_with(NativeOptions::default().landlock(Demand::Required)).unwrap();
        assert_eq!(demanded.facts(), lane.facts());
    }
}
