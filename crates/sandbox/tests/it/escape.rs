//! The suites, in every lane that this machine has.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;

#[cfg(feature = "docker")]
use hedgerow_sandbox::Scratch;
use hedgerow_sandbox::escape::{Controls, Report, Suite, Verdict};
use hedgerow_sandbox::{HostSandbox, Sandbox};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::world::{copy_these_tests, native, skipped, text};

/// Where the sentinels lie: not in `/tmp`, which lanes hide anyway.
fn place() -> TempDir {
    tempfile::tempdir_in("/var/tmp").unwrap()
}

/// How many probes an isolating lane holds at least. An ordinary user on a machine without the tools and devices of others
/// shows some forty fewer than one that has them, root a hundred more.
const HELD: usize = 200;

/// What gets through without a sandbox is the same for all lanes.
static ESCAPE: OnceCell<Controls> = OnceCell::const_new();
static TOOLS: OnceCell<Controls> = OnceCell::const_new();

/// Runs a suite without a sandbox, once, and in a lane, and checks what every report must be.
async fn tried(lane: &dyn Sandbox, suite: Suite, controls: &OnceCell<Controls>) -> Report {
    let controls = controls.get_or_init(|| async { suite.control().await.unwrap() }).await;
    let report = suite.run(lane, controls).await.unwrap();
    show(&report);
    assert!(report.passed(), "{report}");
    report
}

fn show(report: &Report) {
    shown(&report.to_string());
    for row in report.rows.iter().filter(|row| row.verdict != Verdict::Held) {
        shown(&format!("  {:?} {}: {}; {}", row.verdict, row.id, row.seen, row.control));
    }
}

#[expect(clippy::print_stdout, reason = "what was not run must not look like something that was")]
fn shown(text: &str) {
    println!("{text}");
}

#[tokio::test]
async fn nothing_gets_out_of_the_native_lane() {
    let Some(lane) = native() else { return };
    let place = place();
    let report = tried(&lane, Suite::escape(place.path()), &ESCAPE).await;
    assert!(report.count(Verdict::Held) >= HELD, "{report}");
    left_nothing(&place);
}

#[tokio::test]
async fn tools_work_in_the_native_lane() {
    let Some(lane) = native() else { return };
    let place = place();
    tried(&lane, Suite::compatibility(place.path()), &TOOLS).await;
    left_nothing(&place);
}

/// Both suites, for a lane that isolates on a machine that denies much.
pub(crate) async fn both_where_much_is_denied(lane: &dyn Sandbox) {
    let place = place();
    let hostile = tried(lane, Suite::escape(place.path()), &ESCAPE).await;
    assert!(hostile.count(Verdict::Held) >= HELD, "{hostile}");
    let honest = tried(lane, Suite::compatibility(place.path()), &TOOLS).await;
    assert!(honest.count(Verdict::Held) >= 30, "{honest}");
    left_nothing(&place);
}

#[tokio::test]
async fn the_host_lane_keeps_the_little_that_it_promises() {
    let place = place();
    let report = tried(&HostSandbox::new().unwrap(), Suite::escape(place.path()), &ESCAPE).await;
    let open = report.count(Verdict::Open);
    assert!(open >= 50, "probes that get through where nothing is promised are reported as such: {report}");
    left_nothing(&place);
}

#[cfg(feature = "docker")]
#[tokio::test]
async fn nothing_gets_out_of_the_docker_lane() {
    let Some(lane) = crate::docker::lane().await else { return };
    let place = place();
    let report = tried(&lane, Suite::escape(place.path()), &ESCAPE).await;
    assert!(report.count(Verdict::Held) >= HELD, "{report}");
    left_nothing(&place);
}

#[cfg(feature = "docker")]
#[tokio::test]
async fn tools_work_in_the_docker_lane() {
    let Some(lane) = crate::docker::lane_with(|options| options.scratch(Scratch::Programs)).await else { return };
    let place = place();
    tried(&lane, Suite::compatibility(place.path()), &TOOLS).await;
    left_nothing(&place);
}

/// Root may do more to the host, and so may what it starts; what holds for an ordinary user is tried as one.
#[test]
fn nothing_gets_out_of_the_native_lane_of_an_ordinary_user() {
    const ORDINARY: u32 = 5000;
    if native().is_none() || !rustix::process::geteuid().is_root() {
        return skipped("the other suites ran as an ordinary user already");
    }
    let place = place();
    let copy = place.path().join("it");
    copy_these_tests(&copy);
    chown(place.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
    let output = std::process::Command::new(&copy)
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .args(["escape::nothing_gets_out_of_the_native_lane", "escape::tools_work_in_the_native_lane"])
        .env_clear()
        .envs([("HOME", text(place.path())), ("HEDGEROW_REQUIRE", "native"), ("PATH", "/usr/bin:/bin")])
        .current_dir(place.path())
        .uid(ORDINARY)
        .gid(ORDINARY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("2 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    shown(&said);
}

fn left_nothing(place: &TempDir) {
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "the suite cleans up after itself");
}
