//! The native lane in the system's bubblewrap. It is for ordinary users, so where these tests run as root, they run again as
//! one: once where namespaces are denied to everybody and bubblewrap is setuid, and once where it needs not be.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command as Direct;
use std::time::Duration;

use hedgerow_sandbox::{
    Access, AllowList, Command, Coverage, End, Error, Guarantee, Mechanism, Mount, NativeOptions, NativeSandbox,
    Policy, Sandbox, Secret, Strength, Witness,
};

use crate::world::{alive, copy_these_tests, nap, run, sh, skipped, spec, start, text, until, watch};

/// Says that namespaces are denied, so that nothing else than bubblewrap can be chosen.
const DENIED: &str = "HEDGEROW_TEST_DENIED";
const ORDINARY: u32 = 5000;

/// The lane; none for root.
fn wrapped() -> Option<NativeSandbox> {
    if rustix::process::geteuid().is_root() {
        return None;
    }
    let denied = std::env::var_os(DENIED).is_some();
    let options = NativeOptions::default();
    let options = if denied { options } else { options.mechanism(Mechanism::Bubblewrap) };
    match NativeSandbox::probe_with(options) {
        Ok(lane) => Some(lane),
        Err(Error::Unavailable { problem, .. }) if !denied && problem.contains("it is in none of") => {
            skipped(&problem);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A standard policy, as far as this machine counts processes.
fn policy(lane: &NativeSandbox) -> Policy {
    match lane.coverage(Guarantee::Pids) {
        Coverage::Enforced => Policy::standard(),
        _ => Policy::standard().without(Guarantee::Pids),
    }
}

#[tokio::test]
async fn it_is_chosen_where_namespaces_are_denied_and_names_itself() {
    let Some(lane) = wrapped() else { return };
    let facts = lane.facts();
    assert_eq!((facts.mechanism, lane.name()), (Mechanism::Bubblewrap, "bubblewrap"));
    let denied = facts.denied.unwrap();
    if std::env::var_os(DENIED).is_some() {
        assert!(denied.contains("user.max_user_namespaces"), "{denied}");
        let error = NativeSandbox::probe_with(NativeOptions::default().mechanism(Mechanism::Namespaces)).unwrap_err();
        assert!(error.to_string().contains("user.max_user_namespaces"), "{error}");
    }
    for guarantee in Policy::standard().required.keys().filter(|g| !matches!(g, Guarantee::Pids | Guarantee::Memory)) {
        assert_eq!(lane.coverage(*guarantee), Coverage::Enforced, "{guarantee}");
    }
    assert!(matches!(lane.coverage(Guarantee::Egress), Coverage::Unenforced(why) if why.contains("bubblewrap")));
    let list = spec(policy(&lane).only(AllowList::new(["example.org:443"]).unwrap()));
    assert!(matches!(lane.start(list).await, Err(Error::Refused { lane: "bubblewrap", .. })));
}

#[tokio::test]
async fn an_end_is_told_as_far_as_it_is_known_and_a_program_that_did_not_start_is_no_end() {
    let Some(lane) = wrapped() else { return };
    for code in [0, 1, 42, 126, 127, 128, 255] {
        let exit = run(&lane, spec(policy(&lane)), sh(format!("exit {code}"))).await.exit;
        assert_eq!((exit.end, exit.witness), (End::Exited { code }, Witness::Parent));
    }
    let exit = run(&lane, spec(policy(&lane)), sh("kill -9 $$")).await.exit;
    assert!(matches!(exit.end, End::ExitedOrSignaled { code: 137 } | End::Signaled { signal: 9 }), "{exit:?}");
    assert!(!exit.success() && exit.leftovers.is_none());
    let mut running = start(&lane, spec(policy(&lane))).await;
    for (program, reason) in [("/bin/absent", "not found"), ("absent", "not found"), ("/etc/passwd", "executable")] {
        let error = running.exec(Command::new(program, "/")).await.unwrap_err();
        assert!(matches!(&error, Error::Program { problem, .. } if problem.contains(reason)), "{program}: {error}");
    }
    let error = running.exec(Command::new("true", "/absent")).await.unwrap_err();
    assert!(error.to_string().contains("the working directory /absent"), "{error}");
    let error = running.exec(Command::new("true", "/").env("PATH", "/bin:.")).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidSpec { problem, .. } if problem.contains("absolute")), "{error}");
    watch(running.exec(Command::new("true", "/")).await.unwrap()).await.ok();
}

#[tokio::test]
async fn all_that_was_started_ends_with_the_program_and_has_time_to_say_goodbye() {
    let Some(lane) = wrapped() else { return };
    let nap = nap();
    let script = format!("setsid sh -c '(sleep {nap} &)'; sleep 0.2; echo over");
    assert_eq!(run(&lane, spec(policy(&lane)), sh(script)).await.ok().out(), "over");
    assert_eq!(alive(&nap), [""; 0]);
    let mut running = start(&lane, spec(policy(&lane))).await;
    let mut command = sh(format!("trap 'echo goodbye; exit 3' TERM; echo ready; sleep {nap} & wait"));
    command.grace = Duration::from_secs(20);
    let mut process = running.exec(command).await.unwrap();
    until(&mut process, "ready").await;
    process.stopper().stop();
    let seen = watch(process).await;
    assert_eq!((seen.exit.end.clone(), seen.out()), (End::Stopped, "goodbye"), "{}", seen.text());
    assert_eq!(alive(&nap), [""; 0]);
}

#[tokio::test]
async fn a_supervisor_or_a_bubblewrap_that_is_killed_takes_everything_along() {
    let Some(lane) = wrapped() else { return };
    for generations in [1, 2] {
        let nap = nap();
        let mut running = start(&lane, spec(policy(&lane))).await;
        let mut process = running.exec(sh(format!("echo ready; sleep {nap} & sleep {nap}; :"))).await.unwrap();
        until(&mut process, "ready").await;
        // What this process started: the supervisor; below it, bubblewrap.
        let mut victims = vec![std::process::id()];
        for _ in 0..generations {
            victims = victims.iter().flat_map(|pid| below(*pid)).collect();
        }
        let victims: Vec<_> = victims.into_iter().filter(|pid| holds(*pid, &nap)).collect();
        assert_eq!(victims.len(), 1, "{victims:?}");
        let victim = rustix::process::Pid::from_raw(victims[0].cast_signed()).unwrap();
        rustix::process::kill_process(victim, rustix::process::Signal::KILL).unwrap();
        let exit = watch(process).await.exit;
        assert!(matches!(exit.end, End::Lost { .. }), "{exit:?}");
        assert_eq!(alive(&format!("sleep {nap}")), [""; 0]);
    }
}

/// The children of a process.
fn below(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<_>>()).collect()
}

/// Whether a process with this in its command line descends from another.
fn holds(pid: u32, text: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains(text) || below(pid).into_iter().any(|child| holds(child, text))
}

#[tokio::test]
async fn a_target_that_an_earlier_command_made_a_link_is_refused() {
    let Some(lane) = wrapped() else { return };
    let (tree, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(tree.path().join("inner")).unwrap();
    std::fs::write(elsewhere.path().join("file"), "own").unwrap();
    let mut spec = spec(policy(&lane));
    spec.mounts.push(Mount { source: tree.path().into(), target: "/tree".into(), access: Access::ReadWrite });
    let (source, target) = (elsewhere.path().into(), "/tree/inner".into());
    spec.mounts.push(Mount { source, target, access: Access::ReadOnly });
    let mut running = start(&lane, spec).await;
    let script = "cat /tree/inner/file; mv /tree/inner /tree/moved || echo held; touch /tree/inner/x || echo kept";
    assert_eq!(watch(running.exec(sh(script)).await.unwrap()).await.out(), "ownheld\nkept");
    // As another sandbox with the same tree could.
    std::fs::rename(tree.path().join("inner"), tree.path().join("moved")).unwrap();
    symlink("moved", tree.path().join("inner")).unwrap();
    let error = running.exec(sh("true")).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidSpec { .. }), "{error}");
}

#[tokio::test]
async fn a_secret_is_in_no_command_line_and_gone_with_its_command() {
    let Some(lane) = wrapped() else { return };
    let nap = nap();
    let file = Secret::file("token", "in-a-file").unwrap().path_in("TOKEN_FILE").unwrap();
    let variable = Secret::variable("TOKEN", "in-a-variable").unwrap();
    let script = format!("wc -c < $TOKEN_FILE; printf %s $TOKEN | wc -c; echo $TOKEN_FILE; sleep {nap}");
    let mut running = start(&lane, spec(policy(&lane))).await;
    let mut process = running.exec(sh(script).secret(file).secret(variable)).await.unwrap();
    let said = until(&mut process, "/run/secrets/token").await;
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["9", "13", "/run/secrets/token"]);
    assert!(alive("in-a-").is_empty() && !alive(&nap).is_empty());
    process.stopper().kill();
    watch(process).await;
    let seen = watch(running.exec(sh("cat /run/secrets/token; env")).await.unwrap()).await;
    assert!(!seen.text().contains("in-a-"), "{}", seen.text());
}

#[tokio::test]
async fn limits_hold_where_they_are_promised() {
    let Some(lane) = wrapped() else { return };
    let mut spec = spec(policy(&lane));
    (spec.policy.limits.memory, spec.policy.limits.pids) = (Some(64 << 20), Some(20));
    let program = crate::probe::path();
    let (source, target) = (program.clone().into(), program.clone().into());
    spec.mounts.push(Mount { source, target, access: Access::ReadOnly });
    let hog = crate::probe::told(Command::new(&program, "/"), "hog 200");
    assert_eq!(run(&lane, spec.clone(), hog).await.exit.end, End::OutOfMemory);
    if lane.coverage(Guarantee::Pids) != Coverage::Enforced {
        spec.policy.required.insert(Guarantee::Pids, Strength::Full);
        assert!(matches!(lane.start(spec).await, Err(Error::Refused { .. })));
        return skipped("processes of a sandbox are not counted here");
    }
    let seen = run(&lane, spec, crate::probe::told(Command::new(&program, "/"), "forks 60")).await;
    let count = seen.out().split_once("STARTED ").unwrap().1.lines().next().unwrap().parse::<u32>().unwrap();
    assert!((5..20).contains(&count), "{count}: {}", seen.text());
}

#[cfg(feature = "conformance")]
#[tokio::test]
async fn it_keeps_the_rules_of_the_traits() {
    let Some(_lane) = wrapped() else { return };
    let report =
        hedgerow_sandbox::conformance::check(hedgerow_sandbox::conformance::Shell, async || wrapped().unwrap());
    let report = report.await;
    report.assert();
}

#[cfg(feature = "escape")]
#[tokio::test]
async fn nothing_gets_out_and_tools_work() {
    // It takes its time, and where bubblewrap makes a user namespace there is one wall more.
    if std::env::var_os(DENIED).is_none() {
        return;
    }
    let Some(lane) = wrapped() else { return };
    crate::escape::both_where_much_is_denied(&lane).await;
}

/// Runs a script as root of a user namespace that knows all users.
const AROUND: &str = "cd $1 && mkfifo go && { unshare -U -m sh -c \
        'read -r _ < go && exec setpriv --reuid 0 --regid 0 --clear-groups sh -c \"$0\"' \"$2\" &
    } && inner=$! && until readlink /proc/$inner/ns/user | grep -qv $(readlink /proc/self/ns/user); do sleep 0.01; done &&
    echo 0 0 65536 > /proc/$inner/uid_map && echo 0 0 65536 > /proc/$inner/gid_map && echo > go && wait $inner";

/// Makes user namespaces impossible for everybody there, and shows a setuid program of root's as the system's bubblewrap.
const DENY: &str = "echo 0 > /proc/sys/user/max_user_namespaces && mount --bind bwrap /usr/bin/bwrap &&
    exec setpriv --reuid 5000 --regid 5000 --clear-groups ./it native_wrapped:: --test-threads=2 --nocapture";

#[test]
fn an_ordinary_user_is_held_where_namespaces_are_denied_and_bubblewrap_is_setuid() {
    let Some(place) = prepared() else { return };
    let path = place.path().join("bwrap");
    std::fs::copy("/usr/bin/bwrap", &path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4755)).unwrap();
    let mut shell = Direct::new("/bin/sh");
    shell.args(["-c", AROUND, "sh", text(place.path()), DENY]).env(DENIED, "yes");
    passes(shell, &place);
}

#[test]
fn an_ordinary_user_is_held_where_bubblewrap_makes_namespaces_as_the_user() {
    let Some(place) = prepared() else { return };
    let mut direct = Direct::new(place.path().join("it"));
    direct.args(["native_wrapped::", "--test-threads=2", "--nocapture"]).uid(ORDINARY).gid(ORDINARY);
    passes(direct, &place);
}

/// A place with this program in it; none where these tests cannot run a second time.
fn prepared() -> Option<tempfile::TempDir> {
    if !rustix::process::geteuid().is_root() {
        skipped("the other tests ran as an ordinary user already");
        return None;
    }
    let tools = ["/usr/bin/bwrap", "/usr/bin/unshare", "/usr/bin/setpriv", "/usr/bin/mkfifo"];
    if let Some(missing) = tools.iter().find(|tool| !Path::new(tool).exists()) {
        skipped(&format!("{missing} is not there"));
        return None;
    }
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    copy_these_tests(&place.path().join("it"));
    let own = place.path().join("own");
    std::fs::create_dir(&own).unwrap();
    chown(&own, Some(ORDINARY), Some(ORDINARY)).unwrap();
    Some(place)
}

fn passes(mut command: Direct, place: &tempfile::TempDir) {
    let denied = command.get_envs().any(|(key, _)| key == DENIED);
    let own = place.path().join("own");
    command.env_clear().envs([("HOME", text(&own)), ("TMPDIR", text(&own)), ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")]);
    if denied {
        command.env(DENIED, "yes");
    }
    let count = 9 + i32::from(cfg!(feature = "conformance")) + i32::from(cfg!(feature = "escape"));
    let output = command.current_dir(place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(&format!("{count} passed")), "{said}");
    shown(&said);
}

#[expect(clippy::print_stdout, reason = "what was not run must not look like something that was")]
fn shown(text: &str) {
    for line in text.lines().filter(|line| line.contains("SKIPPED") || line.contains(" lane: ")) {
        println!("{line}");
    }
}
