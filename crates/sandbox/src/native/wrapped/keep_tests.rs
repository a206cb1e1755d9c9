//! A command in bubblewrap of which something would not die.

use std::path::Path;

use super::super::super::found::Found;
use super::super::lane::WrappedLane;
use super::*;
use crate::run::Session;
use crate::{Mechanism, NativeOptions, Policy, SandboxId, Spec};

/// Where processes can be frozen so that not even SIGKILL ends them.
const FREEZER: &str = "/sys/fs/cgroup/freezer";

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that proved nothing must not look like one that did")]
async fn what_cannot_be_killed_inside_is_named_and_its_command_is_not_called_over() {
    use crate::Running;

    let ice = Path::new(FREEZER).join(format!("hedgerow-test-{}", crate::run::token().unwrap()));
    if let Err(e) = fs::create_dir(&ice).and_then(|()| fs::read(ice.join("freezer.state"))) {
        return eprintln!("SKIPPED: no process can be frozen below {FREEZER}: {e}");
    }
    let options = NativeOptions::default().mechanism(Mechanism::Bubblewrap);
    let probed = options.clone();
    let found = std::thread::spawn(move || Found::probe(&probed)).join().unwrap();
    let found = match found {
        Ok(found) => found,
        Err(e) => {
            fs::remove_dir(&ice).unwrap();
            return eprintln!("SKIPPED: {e}");
        }
    };
    let id = SandboxId::new("frozen").unwrap();
    let spec = Spec { id, labels: [].into(), policy: Policy::standard(), mounts: Vec::new(), home: None };
    let lane = WrappedLane::new(options, found, spec).unwrap().dying(Duration::from_millis(100));
    let mut session = Session::new(Arc::new(lane));
    let nap = format!("{}.{}", 50_000 + std::process::id() % 10_000, 77);
    let command = Command::new("/bin/sleep", "/").args([&nap]).deadline(Duration::from_secs(1));
    let process = session.exec(command).await.unwrap();
    let sleeper = fs::read_dir("/proc").unwrap().flatten().find(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line == format!("/bin/sleep\0{nap}\0").as_bytes()
    });
    fs::write(ice.join("cgroup.procs"), sleeper.unwrap().file_name().to_str().unwrap()).unwrap();
    fs::write(ice.join("freezer.state"), "FROZEN").unwrap();
    let end = process.wait().await;
    let next = session.exec(Command::new("/bin/true", "/")).await.map(drop);
    fs::write(ice.join("freezer.state"), "THAWED").unwrap();
    let text = format!("{end:?}");
    assert!(text.contains("end a command") && text.contains("still holds 1 of its processes"), "{text}");
    assert!(next.is_err(), "{next:?}");
    while !fs::read_to_string(ice.join("cgroup.procs")).unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let next = session.exec(Command::new("/bin/true", "/")).await.unwrap().wait().await.unwrap();
    assert!(next.success(), "{next:?}");
    fs::remove_dir(&ice).unwrap();
}
