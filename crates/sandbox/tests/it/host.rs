//! The host lane by itself.

use std::path::PathBuf;

use hedgerow_sandbox::{Access, Command, End, Error, HostSandbox, Mount, Policy, Sandbox, Stopped};

use crate::world::{open, run, sh, spec, start, watch};

fn lane() -> HostSandbox {
    HostSandbox::new().unwrap()
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named_with_its_lane() {
    let mut running = start(&lane(), open()).await;
    let error = running.exec(Command::new("no-such-agent", "/")).await.unwrap_err();
    assert!(matches!(error, Error::Program { lane: "host", .. }), "{error:?}");
    assert!(error.to_string().contains("no-such-agent"), "{error}");
}

#[tokio::test]
async fn a_script_whose_interpreter_is_missing_is_told_from_one_that_is_missing_itself() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let mut running = start(&lane(), open()).await;
    let error = running.exec(Command::new(&script, "/")).await.unwrap_err().to_string();
    assert!(error.contains("not an executable file"), "{error}");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = running.exec(Command::new(&script, "/")).await.unwrap_err().to_string();
    assert!(error.contains("interpreter"), "{error}");
}

#[tokio::test]
async fn a_working_directory_that_is_gone_is_named() {
    let mut running = start(&lane(), open()).await;
    let error = running.exec(Command::new("true", "/no/such/dir")).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidSpec { what, .. } if what.contains("/no/such/dir")), "{error:?}");
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    for (script, end) in [
        ("exit 0", End::Exited { code: 0 }),
        ("exit 7", End::Exited { code: 7 }),
        ("exit 137", End::Exited { code: 137 }),
        ("kill -9 $$", End::Signaled { signal: 9 }),
        ("kill -11 $$", End::Signaled { signal: 11 }),
    ] {
        assert_eq!(run(&lane(), open(), sh(script)).await.exit.end, end, "{script}");
    }
}

#[tokio::test]
async fn home_and_tmpdir_are_fresh_private_and_gone_afterwards() {
    let mut running = start(&lane(), open()).await;
    let script = "touch $HOME/a $TMPDIR/b && stat -c '%a %n' $HOME $TMPDIR";
    let seen = watch(running.exec(sh(script)).await.unwrap()).await.ok();
    for line in seen.out().lines() {
        let (mode, path) = line.split_once(' ').unwrap();
        assert_eq!(mode, "700");
        assert!(!PathBuf::from(path).exists(), "{path} is left");
    }
    assert_eq!(seen.out().lines().count(), 2);
}

#[tokio::test]
async fn a_home_of_the_callers_outlives_the_command() {
    let home = tempfile::tempdir().unwrap();
    let mut wanted = open();
    wanted.home = Some(home.path().into());
    run(&lane(), wanted, sh("echo kept > $HOME/note")).await.ok();
    assert_eq!(std::fs::read_to_string(home.path().join("note")).unwrap(), "kept\n");
}

#[tokio::test]
async fn a_path_that_would_have_to_move_is_refused() {
    let mut wanted = open();
    let mount = Mount { source: "/usr".into(), target: "/elsewhere".into(), access: Access::ReadOnly };
    wanted.mounts.push(mount);
    let error = lane().start(wanted).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidSpec { what, .. } if what.contains("/elsewhere")), "{error:?}");
}

#[tokio::test]
async fn a_setuid_program_gains_nothing() {
    let seen = run(&lane(), open(), sh("grep NoNewPrivs /proc/self/status")).await.ok();
    assert_eq!(seen.out(), "NoNewPrivs:\t1");
}

#[tokio::test]
async fn one_command_at_a_time() {
    let mut running = start(&lane(), open()).await;
    let first = running.exec(sh("sleep 60")).await.unwrap();
    let error = running.exec(sh("true")).await.unwrap_err();
    assert!(error.to_string().contains("still runs"), "{error}");
    first.stopper().kill();
    assert_eq!(watch(first).await.exit.end, End::Stopped);
    watch(running.exec(sh("true")).await.unwrap()).await.ok();
    assert_eq!(running.stop(std::time::Duration::ZERO).await.unwrap(), Stopped::Idle);
}

#[tokio::test]
async fn cpu_time_of_all_commands_is_added_up() {
    let mut running = start(&lane(), open()).await;
    let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    let one = watch(running.exec(sh(format!("sh -c '{busy}' & wait"))).await.unwrap()).await.ok();
    let two = watch(running.exec(sh(busy)).await.unwrap()).await.ok();
    let sum = one.exit.usage.cpu.unwrap() + two.exit.usage.cpu.unwrap();
    assert!(!one.exit.usage.cpu.unwrap().is_zero());
    assert_eq!(running.usage().await.unwrap().cpu, Some(sum));
}

#[tokio::test]
async fn nothing_is_adopted_or_listed_because_nothing_outlives_its_owner() {
    let wanted = spec(Policy::open());
    let id = wanted.id.clone();
    let _running = start(&lane(), wanted).await;
    assert!(lane().adopt(&id).await.unwrap().is_none());
    assert!(lane().list(&[].into()).await.unwrap().is_empty());
}
