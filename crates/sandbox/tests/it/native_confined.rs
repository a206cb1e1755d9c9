//! The native lane without namespaces. It is for ordinary users, so where these tests run as root, they run again as one.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::Path;

use hedgerow_sandbox::{
    Access, Command, Coverage, End, Error, Guarantee, Mechanism, Mount, NativeOptions, NativeSandbox, Network, Policy,
    Sandbox, Secret, Spec, Strength,
};

use crate::hostile::Bystander;
use crate::probe::{Outcome, Segment, outcome, told};
use crate::world::{Seen, alive, copy_these_tests, nap, native, open, run, sh, skipped, spec, text};

/// The lane; none where it cannot be, said loudly.
fn confined() -> Option<NativeSandbox> {
    if rustix::process::geteuid().is_root() {
        return None;
    }
    match NativeSandbox::probe_with(NativeOptions::default().mechanism(Mechanism::Landlock)) {
        Ok(lane) => Some(lane),
        Err(Error::Unavailable { problem, .. }) if problem.contains("Landlock") => {
            skipped(&problem);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// What the lane can keep, each thing as well as it can.
fn lenient() -> Policy {
    let mut policy = Policy::standard().without(Guarantee::Pids);
    for guarantee in
        [Guarantee::KillComplete, Guarantee::ProcessIsolation, Guarantee::NoHostWrites, Guarantee::NoHostReads]
    {
        policy.required.insert(guarantee, Strength::AtLeastPartial);
    }
    policy
}

fn with(tree: &Path, access: Access) -> Spec {
    let mut spec = spec(lenient());
    spec.mounts.push(Mount { source: tree.into(), target: tree.into(), access });
    spec
}

async fn probe(lane: &NativeSandbox, probe: &str) -> Outcome {
    let program = crate::probe::path();
    outcome(run(lane, with(Path::new(&program), Access::ReadOnly), told(Command::new(&program, "/"), probe)).await)
}

#[tokio::test]
async fn a_standard_policy_is_refused_with_every_exception_and_what_would_help() {
    let Some(lane) = confined() else { return };
    let facts = lane.facts();
    assert_eq!((facts.mechanism, facts.denied.is_some()), (Mechanism::Landlock, true));
    let error = lane.start(spec(Policy::standard())).await.unwrap_err();
    let Error::Refused { shortfalls, .. } = &error else { panic!("{error:?}") };
    for guarantee in [Guarantee::ProcessIsolation, Guarantee::NoHostWrites, Guarantee::NoHostReads] {
        assert!(shortfalls.iter().any(|s| s.guarantee == guarantee && s.why.contains("namespaces")), "{error}");
    }
    for guarantee in [Guarantee::NoNetwork, Guarantee::NoDevices, Guarantee::NoPrivilegeGain, Guarantee::SyscallFilter]
    {
        assert_eq!(lane.coverage(guarantee), Coverage::Enforced, "{guarantee}");
    }
}

#[tokio::test]
async fn files_outside_can_be_neither_read_nor_written_nor_moved() {
    let Some(lane) = confined() else { return };
    let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("key"), "secret").unwrap();
    let script = "cat $O/key; ls $O; echo x > $O/new; rm -f $O/key; mv $O/key .; ln $O/key linked; (: > $O/key)
         ln -s $O link; cat link/key; cat /etc/shadow; echo own > file; cat file; echo $HOME > $TMPDIR/t; echo end";
    let mut command = sh(script).env("O", outside.path());
    command.workdir = tree.path().into();
    let seen = run(&lane, with(tree.path(), Access::ReadWrite), command).await;
    assert_eq!(seen.out(), "own\nend", "{}", seen.text());
    assert_eq!(std::fs::read_to_string(outside.path().join("key")).unwrap(), "secret");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(!tree.path().join("linked").exists() && tree.path().join("file").exists());
    let mut command = sh("cat file; echo x > file || echo refused; rm -f file; touch new || echo refused");
    command.workdir = tree.path().into();
    let seen = run(&lane, with(tree.path(), Access::ReadOnly), command).await;
    assert_eq!(seen.out(), "own\nrefused\nrefused", "{}", seen.text());
    assert_eq!(std::fs::read_to_string(tree.path().join("file")).unwrap(), "own\n");
}

#[tokio::test]
async fn no_socket_can_be_made_so_no_service_of_the_host_is_reached() {
    let Some(lane) = confined() else { return };
    let name = format!("hedgerow-confined-{}", std::process::id());
    let _local = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("socket");
    let _named = UnixListener::bind(&socket).unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for attempt in
        [format!("abstract {name}"), format!("unix {}", text(&socket)), format!("tcp {}", tcp.local_addr().unwrap())]
    {
        assert_eq!(crate::probe::on_host(&attempt).await, Outcome::Allowed, "{attempt}");
        assert_eq!(probe(&lane, &attempt).await, Outcome::Refused(libc::EPERM), "{attempt}");
    }
}

#[tokio::test]
async fn processes_and_memory_of_the_same_user_are_out_of_reach() {
    let Some(lane) = confined() else { return };
    let nap = nap();
    let bystander = Bystander::new(&nap);
    for attempt in ["kill", "ptrace", "read-memory"].map(|what| format!("{what} {}", bystander.0.id())) {
        // Its memory may be read, though nothing is at the address that is asked for.
        let outside = crate::probe::on_host(&attempt).await;
        assert!(matches!(outside, Outcome::Allowed | Outcome::Refused(libc::EFAULT)), "{attempt}: {outside:?}");
        assert_eq!(probe(&lane, &attempt).await, Outcome::Refused(libc::EPERM), "{attempt}");
    }
    let script = format!("kill -9 $PPID || echo refused; prlimit --pid {} --cpu=1 || echo refused", bystander.0.id());
    assert_eq!(run(&lane, spec(lenient()), sh(script)).await.ok().out(), "refused\nrefused");
    let segment = Segment::new();
    let attempt = format!("shm {}", segment.key());
    assert_eq!(crate::probe::on_host(&attempt).await, Outcome::Allowed);
    assert_eq!(probe(&lane, &attempt).await, Outcome::Refused(libc::EPERM));
}

#[tokio::test]
async fn a_daemon_in_a_session_of_its_own_is_gone_with_its_command() {
    let Some(lane) = confined() else { return };
    let nap = nap();
    let seen = run(&lane, spec(lenient()), sh(format!("setsid sh -c '(sleep {nap} &)'; sleep 0.2; echo over"))).await;
    assert_eq!(seen.ok().out(), "over");
    assert_eq!(alive(&nap), [""; 0]);
    let seen = run(&lane, spec(lenient()), sh("exit 7")).await;
    assert_eq!(seen.exit.end, End::Exited { code: 7 });
}

#[tokio::test]
async fn what_only_a_view_of_its_own_could_show_is_refused() {
    let Some(lane) = confined() else { return };
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("pointer"), "x").unwrap();
    let mut elsewhere = with(tree.path(), Access::ReadWrite);
    elsewhere.mounts[0].target = "/tree".into();
    let mut inner = with(tree.path(), Access::ReadWrite);
    let pointer = tree.path().join("pointer");
    inner.mounts.push(Mount { source: pointer.clone(), target: pointer, access: Access::ReadOnly });
    let mut network = spec(lenient().without(Guarantee::NoNetwork).without(Guarantee::Egress));
    network.policy.network = Network::Host;
    for (spec, reason) in [(elsewhere, "where it is"), (inner, "Landlock cannot"), (network, "Network::None")] {
        let error = lane.start(spec).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidSpec { problem, .. } if problem.contains(reason)), "{error:?}");
    }
}

#[tokio::test]
async fn tools_that_need_no_connection_work() {
    let Some(lane) = confined() else { return };
    let tree = tempfile::tempdir().unwrap();
    let script = "git init -q . && echo x > f && git add f && git -c user.name=a -c user.email=a@b commit -qm m &&
         git gc -q && git fsck && bash -c 'cat <(echo through)' && python3 -c 'print(1 + 1)' && nproc > /dev/null";
    let mut command = sh(script);
    command.workdir = tree.path().into();
    assert_eq!(run(&lane, with(tree.path(), Access::ReadWrite), command).await.ok().out(), "through\n2");
}

#[tokio::test]
async fn a_look_from_inside_confirms_what_it_can_and_contradicts_nothing() {
    let Some(lane) = confined() else { return };
    let tree = tempfile::tempdir().unwrap();
    let spec = with(tree.path(), Access::ReadWrite);
    let mut running = lane.start(spec.clone()).await.unwrap();
    let found = hedgerow_sandbox::verify::verify(&lane, &spec, &mut *running).await.unwrap();
    assert_eq!(found.contradictions().count(), 0, "{found:?}");
    for guarantee in [Guarantee::NoPrivilegeGain, Guarantee::SyscallFilter, Guarantee::WallTime] {
        assert_eq!(found.of(guarantee), Some(&hedgerow_sandbox::verify::Seen::Confirmed), "{guarantee}: {found:?}");
    }
}

#[tokio::test]
async fn a_secret_is_a_file_for_its_command_and_gone_with_it() {
    let Some(lane) = confined() else { return };
    let secret = Secret::file("token", "hunter2").unwrap().path_in("TOKEN_FILE").unwrap();
    let seen = run(&lane, spec(lenient()), sh("wc -c < $TOKEN_FILE; echo $TOKEN_FILE").secret(secret)).await.ok();
    let (length, path) = seen.out().split_once('\n').unwrap();
    assert_eq!(length, "7");
    assert!(path.starts_with('/') && !Path::new(path).exists(), "{path}");
}

#[tokio::test]
async fn root_is_told_that_it_is_not_for_root() {
    if !rustix::process::geteuid().is_root() {
        return skipped("this concerns root");
    }
    let options = NativeOptions::default().mechanism(Mechanism::Landlock);
    let error = NativeSandbox::probe_with(options).unwrap_err().to_string();
    assert!(error.contains("ordinary user"), "{error}");
}

/// Where the kernel refuses namespaces, as it does in many containers.
#[tokio::test]
async fn without_namespaces_it_is_what_the_best_of_the_machine_means() {
    if confined().is_none() {
        return;
    }
    let said = crate::native_wall::denied(libc::SYS_unshare, libc::EPERM, 0);
    assert!(said.starts_with("refused: ") && said.contains("mechanism: Landlock"), "{said}");
    assert!(said.contains("process-isolation") && said.contains("seccomp=FILE"), "{said}");
    // Asked for namespaces and nothing else, it does not take anything else.
    let said = crate::native_wall::denied(libc::SYS_unshare, libc::EPERM, 2);
    assert!(said.starts_with("unavailable: ") && said.contains("seccomp=FILE"), "{said}");
}

#[test]
fn an_ordinary_user_is_confined_so() {
    if native().is_none() || !rustix::process::geteuid().is_root() {
        return skipped("the other tests ran as an ordinary user already");
    }
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let copy = place.path().join("it");
    copy_these_tests(&copy);
    let output = std::process::Command::new(&copy)
        .args(["native_confined::", "--test-threads=2", "--nocapture"])
        .env_clear()
        .envs([("HOME", text(place.path())), ("TMPDIR", text(place.path())), ("PATH", "/usr/bin:/bin")])
        .env("HEDGEROW_REQUIRE", "native")
        .current_dir(place.path())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("13 passed"), "{said}");
    if said.contains("SKIPPED: the options do not want them") {
        skipped("Landlock of this kernel is too old for the lane without namespaces");
    }
}

/// The control for the tests above: without the lane, the same user can do all of it.
#[tokio::test]
async fn outside_of_the_lane_the_same_user_can_do_all_of_it() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("key"), "secret").unwrap();
    let script = format!("cat {0}/key; echo x > {0}/new; rm -f {0}/key", text(outside.path()));
    let seen: Seen = run(&hedgerow_sandbox::HostSandbox::new().unwrap(), open(), sh(script)).await.ok();
    assert_eq!(seen.out(), "secret");
    assert!(!outside.path().join("key").exists());
}
