//! Commands of the host lane whose supervisor was killed, where what they left behind is hard to look at: whether that is all gone is
//! known for certain, or it is said that it is not.

use std::io::Write;
use std::path::Path;
use std::process::{Command as Direct, Stdio};

use hedgerow_sandbox::{End, Grouping, HostOptions, HostSandbox, Running};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::world::{alive, nap, open, sh, skipped, start, until};

/// The lane without control groups, which would end all of this at once.
fn lane() -> HostSandbox {
    HostSandbox::with(&HostOptions::default().groups(Grouping::Unused)).unwrap()
}

/// Where the embedding program of a test reads what it is to do; its presence makes this binary that program.
const ROLE: &str = "HEDGEROW_TEST_UNCLEAN";

/// This binary as an embedding program with this role, behind a wrapper; what it says.
fn embedder(wrapper: &[&str], role: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let all = wrapper.iter().map(AsRef::as_ref).chain([program.as_os_str()]);
    let all: Vec<_> = all.chain(["--exact", "host_unclean::role_embedder", "--nocapture"].map(AsRef::as_ref)).collect();
    let output =
        Direct::new(all[0]).args(&all[1..]).env(ROLE, role).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
}

/// Straight to the descriptor: the test harness holds back what is printed.
fn tell(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn role_embedder() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (what, nap) = role.split_once(' ').expect("what to do and a nap");
    // So that none of the low numbers becomes free when something is closed.
    let _taken: Vec<_> = (0..LOW).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    let mut running = start(&lane(), open()).await;
    match what {
        "full" => without_descriptors(&mut *running, nap).await,
        _ => unreadable(&mut *running, nap).await,
    }
    let next = running.exec(sh("true")).await.unwrap().wait().await;
    tell(&format!("{:?}\n{:?}\n", next.map(|exit| exit.end), alive(nap)));
}

/// A limit of descriptors.
const LOW: u64 = 10;

/// No descriptor can be made in this process when the supervisor of its command is killed.
async fn without_descriptors(running: &mut dyn Running, nap: &str) {
    let sign = format!("/tmp/hedgerow-test-sign-{nap}");
    let script = format!(
        "setsid sleep {nap} </dev/null >/dev/null 2>&1 & echo ready; until test -e {sign}; do sleep 0.02; done; \
         kill -9 $PPID; sleep {nap}"
    );
    let mut process = running.exec(sh(script)).await.unwrap();
    until(&mut process, "ready").await;
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(LOW), ..before }).unwrap();
    std::fs::create_dir(&sign).unwrap();
    let end = process.wait().await;
    setrlimit(Resource::Nofile, before).unwrap();
    std::fs::remove_dir(&sign).unwrap();
    tell(&format!("{:?}\n", end.map(|exit| exit.end)));
}

#[test]
fn an_embedding_program_without_descriptors_does_not_take_that_for_nobody_left() {
    let nap = nap();
    let said = embedder(&["env"], &format!("full {nap}"));
    let lines: Vec<_> = said.lines().collect();
    let [end, next, left] = lines[..] else { panic!("{said}") };
    assert!(end.starts_with("Err") && end.contains("cannot be told") && end.contains("Too many open files"), "{said}");
    assert!(next.starts_with("Ok") && left == "[]", "killed as soon as it could be looked for: {said}");
}

/// A process that does not let its environment be read, like an agent that keeps keys.
async fn unreadable(running: &mut dyn Running, nap: &str) {
    let program = format!("import ctypes,time; ctypes.CDLL(None).prctl(4,0,0,0,0); time.sleep({nap})");
    let script = format!(
        "setsid {PYTHON} -c '{program}' </dev/null >/dev/null 2>&1 & \
         while cat /proc/$!/environ >/dev/null 2>&1; do sleep 0.02; done; echo $!; kill -9 $PPID; sleep {nap}"
    );
    let mut process = running.exec(sh(script)).await.unwrap();
    let pid = until(&mut process, "\n").await;
    let end = process.wait().await;
    tell(&format!("{} {:?}\n", pid.trim(), end.map(|exit| exit.end)));
    assert!(running.exec(sh("true")).await.is_err());
    assert!(Direct::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
}

/// Not what a search path may lead to, which need not be for every user.
const PYTHON: &str = "/usr/bin/python3";

#[test]
fn a_process_that_cannot_be_read_is_named_and_not_taken_for_a_stranger() {
    if !rustix::process::geteuid().is_root() || !Path::new(PYTHON).exists() {
        return skipped("it takes root, who can read everything, to be another user; and Python");
    }
    let user = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let said = embedder(&["sh", "-c", user, "sh"], &format!("unreadable {}", nap()));
    let lines: Vec<_> = said.lines().collect();
    let [end, next, left] = lines[..] else { panic!("{said}") };
    let (pid, end) = end.split_once(' ').unwrap();
    assert!(end.contains("cannot be told") && end.contains(&format!("process {pid} ")), "{said}");
    assert!(next.starts_with("Ok") && left == "[]", "{said}");
}

#[tokio::test]
async fn a_process_whose_first_thread_has_ended_is_found_by_its_others() {
    if !Path::new(PYTHON).exists() {
        return skipped(PYTHON);
    }
    let mut running = start(&lane(), open()).await;
    let program = "import ctypes,threading,time; threading.Thread(target=time.sleep,args=(100,)).start(); \
                   ctypes.CDLL(None).syscall(60,0)";
    let script = format!(
        "setsid {PYTHON} -c '{program}' </dev/null >/dev/null 2>&1 & until grep -q ') Z ' /proc/$!/stat; do sleep 0.02; done; \
         ls /proc/$!/task | wc -l; echo $!; kill -9 $PPID; sleep 100"
    );
    let mut process = running.exec(sh(script)).await.unwrap();
    let said = until(&mut process, "\n").await;
    let said = if said.lines().count() < 2 { said + &until(&mut process, "\n").await } else { said };
    let (threads, pid) = said.trim().split_once('\n').unwrap();
    assert_eq!(threads, "2");
    let end = process.wait().await.unwrap().end;
    assert!(matches!(end, End::Lost { .. }), "{end:?}");
    // Nobody may have taken note of the first.
    let left = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    assert!(left() < 2, "{}", left());
}
