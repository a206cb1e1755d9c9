//! Control groups in the host lane: found by making one, and the end of what neither a supervisor nor a variable finds.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Direct, Stdio};

use hedgerow_sandbox::{Coverage, End, Error, Grouping, Guarantee, HostOptions, HostSandbox, Sandbox, Secret};

use crate::world::{alive, eventually, nap, open, required, run, sh, skipped, start, until, watch};

fn with(groups: Grouping) -> Result<HostSandbox, Error> {
    HostSandbox::with(&HostOptions::default().groups(groups))
}

/// The lane with groups, and where they are; none where they cannot be made and `HEDGEROW_REQUIRE` does not name `groups`.
fn grouped() -> Option<(HostSandbox, PathBuf)> {
    match with(Grouping::Required) {
        Ok(lane) => {
            let place = lane.facts().groups.expect("a place");
            Some((lane, place))
        }
        Err(error) if required("groups") => panic!("HEDGEROW_REQUIRE names groups, but: {error}"),
        Err(error) => {
            skipped(&error.to_string());
            None
        }
    }
}

fn why_not_complete(lane: &HostSandbox) -> String {
    match lane.coverage(Guarantee::KillComplete) {
        Coverage::Partial(why) => why,
        other => panic!("{other:?}"),
    }
}

/// A process outside of the tree as soon as the supervisor dies, which nothing in its environment gives away.
fn stray(nap: &str) -> String {
    // There until the environment is gone.
    format!(
        "env -i /bin/sh -c 'sleep {nap} & sleep {nap}; exit' </dev/null >/dev/null 2>&1 & \
         while grep -q . /proc/$!/environ; do sleep 0.01; done"
    )
}

fn kill(pid: &str) {
    Direct::new("kill").args(["-9", pid]).status().unwrap();
}

/// The numbers in what `alive` says.
fn numbers(alive: &[String]) -> Vec<&str> {
    alive.iter().filter_map(|line| line.split(':').next()).collect()
}

#[tokio::test]
async fn a_process_without_environment_whose_supervisor_was_killed_dies_with_its_group_and_would_outlive_the_rest() {
    let Some((lane, place)) = grouped() else { return };
    let lost = async |lane: &HostSandbox, nap: &str| {
        let script = format!("cat /proc/self/cgroup; {}; kill -9 $PPID; sleep 60", stray(nap));
        let seen = run(lane, open(), sh(script)).await;
        assert!(matches!(seen.exit.end, End::Lost { .. }), "{}", seen.text());
        let group = seen.out().lines().find_map(|line| line.strip_prefix("0::")?.rsplit('/').next().map(str::to_owned));
        group.unwrap_or_default()
    };
    let first = nap();
    let group = lost(&lane, &first).await;
    assert!(group.starts_with("hedgerow-"), "{group}");
    assert_eq!(alive(&first), [""; 0]);
    assert!(!place.join(group).exists());

    let second = nap();
    let group = lost(&with(Grouping::Unused).unwrap(), &second).await;
    assert!(!group.starts_with("hedgerow-"), "{group}");
    eventually("the control: it outlives its supervisor", || alive(&second).len() == 3);
    numbers(&alive(&second)).iter().for_each(|pid| kill(pid));
}

#[tokio::test]
async fn the_coverage_says_what_holds_a_command_together() {
    if let Some((lane, place)) = grouped() {
        let why = why_not_complete(&lane);
        assert!(why.contains("out of its control group") && why.contains(place.to_str().unwrap()), "{why}");
        assert!(why.contains("supervisor and embedding program are both killed"), "{why}");
    }
    let lane = with(Grouping::Unused).unwrap();
    assert!(lane.facts().groups.is_err());
    let why = why_not_complete(&lane);
    assert!(why.contains("no control group") && why.contains("options want no control groups"), "{why}");
    assert!(why.contains("supervisor and embedding program are both killed"), "{why}");
}

#[tokio::test]
async fn groups_that_a_program_made_in_its_own_go_with_it_and_what_is_in_them_too() {
    let Some((lane, place)) = grouped() else { return };
    let nap = nap();
    let script = format!(
        "own=$(sed -n s/^0:://p /proc/self/cgroup); g={}/${{own##*/}}; mkdir -p $g/a/b || exit 9; \
         sh -c \"echo 0 > $g/a/b/cgroup.procs; sleep {nap}\" >/dev/null 2>&1 & \
         until grep -q . $g/a/b/cgroup.procs; do sleep 0.01; done; echo $g",
        place.display()
    );
    let seen = run(&lane, open(), sh(script)).await.ok();
    assert_eq!(alive(&nap), [""; 0]);
    assert!(seen.out().contains("/hedgerow-") && !Path::new(seen.out()).exists(), "{}", seen.out());
    assert!(seen.exit.leftovers.is_some_and(|left| left > 0), "{:?}", seen.exit);
}

#[tokio::test]
async fn a_fork_bomb_that_nobody_stops_ends_with_the_program_that_lit_it() {
    let Some((lane, _)) = grouped() else { return };
    let nap = nap();
    // Generations that are gone before anybody has listed them.
    let script = format!("relay() {{ (relay {nap} &) ; exit; }}; (relay &) ; (relay &) ; sleep 0.2; echo lit");
    let seen = run(&lane, open(), sh(script)).await;
    assert_eq!((seen.out(), &seen.exit.end), ("lit", &End::Exited { code: 0 }), "{}", seen.text());
    assert_eq!(alive(&nap), [""; 0]);
}

/// Where the embedding program of a test reads what it is to do; its presence makes this binary that program.
const ROLE: &str = "HEDGEROW_TEST_GROUPS";

/// This binary as an embedding program, run by `wrapper`, whose last words it is.
fn embedder(wrapper: &[&str], role: &str) -> Direct {
    let mut all = wrapper.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    all.push(std::env::current_exe().unwrap().to_str().unwrap().to_owned());
    all.extend(["--exact", "host_groups::role_embedder", "--nocapture"].map(str::to_owned));
    let mut command = Direct::new(&all[0]);
    command.args(&all[1..]).env(ROLE, role).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Straight to the descriptor: the test harness holds back what is printed.
fn tell(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn role_embedder() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (what, nap) = role.split_once(' ').expect("what to do and a nap");
    let groups = if what == "keep" { Grouping::Unused } else { Grouping::WherePossible };
    let lane = with(groups).unwrap();
    if what == "facts" {
        let seen =
            run(&lane, open(), sh(format!("(setsid sleep {nap} >/dev/null 2>&1 &); sleep 0.2; echo ran"))).await.ok();
        tell(&format!("{:?}\n{}\n{}\n{:?}\n", lane.facts().groups, why_not_complete(&lane), seen.out(), alive(nap)));
        return;
    }
    let mut running = start(&lane, open()).await;
    let script = match what {
        "leave" => format!("{}; sed -n s/^0:://p /proc/self/cgroup; sleep {nap}; exit", stray(nap)),
        _ => format!("setsid sleep {nap} </dev/null >/dev/null 2>&1 & echo $KEY $TMPDIR; sleep {nap}; exit"),
    };
    let mut command = sh(script);
    if what == "keep" {
        command.secrets.push(Secret::file("key", "a value").unwrap().path_in("KEY").unwrap());
    }
    let mut process = running.exec(command).await.unwrap();
    tell(&format!("{}\n", until(&mut process, "\n").await.trim()));
    watch(process).await;
}

/// An embedding program whose command runs.
struct Owner {
    process: Child,
    nap: String,
    /// What the command said.
    said: String,
}

impl Owner {
    fn new(wrapper: &[&str], role: &str) -> Self {
        let nap = nap();
        let mut process = embedder(wrapper, &format!("{role} {nap}")).spawn().unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\n") {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        Self { process, nap, said: String::from_utf8(seen).unwrap().trim().to_owned() }
    }

    /// Stops it, so that it does not clear up itself, and kills its supervisor, so that that does not either. Returns what is left.
    fn orphan(&self, left: usize) -> Vec<String> {
        let pid = self.process.id().to_string();
        assert!(Direct::new("kill").args(["-STOP", &pid]).status().unwrap().success());
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let supervisors = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
        supervisors.for_each(|list| list.split_whitespace().for_each(kill));
        eventually("the program is gone with its supervisor", || {
            let alive = alive(&self.nap);
            let program = |line: &String| line.contains("/proc/self/cgroup") || line.contains("$TMPDIR");
            alive.len() == left && !alive.iter().any(program)
        });
        alive(&self.nap)
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Makes the lane and waits until it runs commands.
async fn settled() {
    drop(start(&HostSandbox::new().unwrap(), open()).await);
}

/// What an owner in this group leaves is there while it lives, and gone with the next lane.
async fn left_in_a_group(wrapper: &[&str], place: &Path) {
    let mut owner = Owner::new(wrapper, "leave");
    let group = place.join(owner.said.rsplit('/').next().unwrap());
    assert!(group.exists(), "{}", group.display());
    // A shell with two children, and the child of the program.
    let left = owner.orphan(4);
    settled().await;
    assert_eq!(alive(&owner.nap), left, "a stopped owner lives");
    owner.kill();
    settled().await;
    assert_eq!(alive(&owner.nap), [""; 0]);
    assert!(!group.exists());
}

#[tokio::test]
async fn what_a_dead_owner_left_in_a_group_is_killed_by_the_next_one_and_not_while_it_lives() {
    let Some((_, place)) = grouped() else { return };
    left_in_a_group(&["env"], &place).await;
}

#[tokio::test]
async fn what_a_dead_owner_left_is_found_in_whatever_scope_it_was() {
    let Some((_, place)) = grouped() else { return };
    let scope = place.join(format!("test-{}.scope", nap()));
    fs::create_dir(&scope).unwrap();
    let join = format!("echo 0 > {}/cgroup.procs && exec \"$@\"", scope.display());
    left_in_a_group(&["sh", "-c", &join, "sh"], &scope).await;
    fs::remove_dir(&scope).unwrap();
}

#[tokio::test]
async fn an_owner_whose_clock_is_another_is_not_taken_for_a_dead_one() {
    let Some((_, place)) = grouped() else { return };
    if !root() {
        return;
    }
    let wrapper = ["unshare", "--time", "--boottime", "100000", "--fork", "--kill-child"];
    let mut owner = Owner::new(&wrapper, "leave");
    let group = place.join(owner.said.rsplit('/').next().unwrap());
    eventually("all of it runs", || alive(&owner.nap).iter().filter(|line| line.contains(": sleep")).count() == 3);
    let before = alive(&owner.nap);
    settled().await;
    assert_eq!((alive(&owner.nap), group.exists()), (before, true));
    owner.kill();
    eventually("its supervisor ends it", || alive(&owner.nap).is_empty());
}

#[tokio::test]
async fn what_a_dead_owner_left_without_a_group_is_killed_and_its_secrets_and_scratch_are_removed() {
    let mut owner = Owner::new(&["env"], "keep");
    let (secret, scratch) = owner.said.split_once(' ').unwrap();
    let (secret, scratch) = (Path::new(secret).to_owned(), Path::new(scratch).parent().unwrap().to_owned());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "a value");
    let left = owner.orphan(2);
    let lane = with(Grouping::Unused).unwrap();
    drop(start(&lane, open()).await);
    assert_eq!((alive(&owner.nap), secret.exists(), scratch.exists()), (left, true, true), "a stopped owner lives");
    owner.kill();
    drop(start(&with(Grouping::Unused).unwrap(), open()).await);
    let left = (alive(&owner.nap), secret.parent().unwrap().exists(), scratch.exists());
    assert_eq!(left, (Vec::new(), false, false));
}

/// What such an embedding program found, how it says so, what its command said, and what was left of that.
fn found(wrapper: &[&str]) -> [String; 4] {
    let output = embedder(wrapper, &format!("facts {}", nap())).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.try_into().unwrap_or_else(|_| panic!("{text}"))
}

fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("only root can take control groups away from itself, or give some to another user");
    }
    root
}

#[test]
fn without_a_hierarchy_of_version_2_the_lane_works_and_says_what_is_missing() {
    if !root() {
        return;
    }
    let script = "awk '/ - cgroup2 /{print $5}' /proc/self/mountinfo | xargs -r -n1 umount -l; exec \"$@\"";
    let [groups, why, out, left] = found(&["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]);
    assert!(groups.starts_with("Err") && groups.contains("no control groups of version 2 are mounted"), "{groups}");
    assert!(why.contains("systemd-run") && why.contains("kills its supervisor"), "{why}");
    assert_eq!((out.as_str(), left.as_str()), ("ran", "[]"));
}

#[test]
fn an_ordinary_user_gets_groups_where_they_are_delegated_and_nowhere_else() {
    if !root() {
        return;
    }
    let Some((_, place)) = grouped() else { return };
    let user = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let [groups, why, out, left] = found(&["sh", "-c", user, "sh"]);
    assert!(groups.starts_with("Err") && groups.contains("ermission denied"), "{groups}");
    assert!(why.contains("Delegate=yes"), "{why}");
    assert_eq!((out.as_str(), left.as_str()), ("ran", "[]"));

    let delegated = place.join(format!("test-{}", nap()));
    fs::create_dir(&delegated).unwrap();
    for given in [delegated.clone(), delegated.join("cgroup.procs")] {
        std::os::unix::fs::chown(given, Some(65_534), Some(65_534)).unwrap();
    }
    let join = format!("echo 0 > {}/cgroup.procs && {user}", delegated.display());
    let [groups, why, out, left] = found(&["sh", "-c", &join, "sh"]);
    let nested = fs::read_dir(&delegated).unwrap().flatten().filter(|e| e.file_type().unwrap().is_dir()).count();
    fs::remove_dir(&delegated).unwrap();
    assert_eq!(groups, format!("Ok({:?})", delegated));
    assert!(why.contains("out of its control group"), "{why}");
    assert_eq!((out.as_str(), left.as_str(), nested), ("ran", "[]", 0));
}
