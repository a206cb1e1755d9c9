//! The native lane by itself: what a program inside sees, and what it gets back.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use hedgerow_sandbox::{
    Access, Command, Coverage, End, Error, Guarantee, Mount, NativeOptions, NativeSandbox, Policy, Sandbox, Spec,
    Stopped, Strength,
};

use crate::world::{copy_these_tests, native, native_with, run, sh, skipped, spec, start, text, watch};

fn standard() -> Spec {
    spec(Policy::standard())
}

fn with(mounts: &[(&Path, &str, Access)]) -> Spec {
    let mut spec = standard();
    spec.mounts = mounts.iter().map(|(s, t, a)| Mount { source: s.into(), target: t.into(), access: *a }).collect();
    spec
}

#[tokio::test]
async fn a_standard_policy_is_kept_and_covers_all_isolation() {
    let Some(lane) = native() else { return };
    assert_eq!(run(&lane, standard(), sh("echo hello")).await.ok().out(), "hello");
    let in_full = |(g, strength): (&Guarantee, &Strength)| (*strength == Strength::Full).then_some(*g);
    for guarantee in Policy::standard().required.iter().filter_map(in_full) {
        assert_eq!(lane.coverage(guarantee), Coverage::Enforced, "{guarantee}");
    }
}

#[test]
fn probes_at_the_same_time_find_the_same() {
    let Some(lane) = native() else { return };
    let probes: Vec<_> = (0..8).map(|_| std::thread::spawn(NativeSandbox::probe)).collect();
    for probe in probes {
        let other = probe.join().unwrap().unwrap();
        for guarantee in Guarantee::ALL {
            assert_eq!(other.coverage(guarantee), lane.coverage(guarantee), "{guarantee}");
        }
    }
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let Some(lane) = native() else { return };
    for (script, end) in [
        ("exit 0", End::Exited { code: 0 }),
        ("exit 7", End::Exited { code: 7 }),
        ("exit 137", End::Exited { code: 137 }),
        ("kill -9 $$", End::Signaled { signal: 9 }),
        ("kill -11 $$", End::Signaled { signal: 11 }),
        ("kill -15 $$", End::Signaled { signal: 15 }),
    ] {
        assert_eq!(run(&lane, standard(), sh(script)).await.exit.end, end, "{script}");
    }
}

#[tokio::test]
async fn programs_that_cannot_run_are_named_with_the_reason() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("plain"), "text").unwrap();
    for (name, content) in [("script", "#!/no/such/interpreter\n"), ("garbage", "\u{1}\u{2}\u{3}")] {
        std::fs::write(tree.path().join(name), content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(tree.path().join(name), mode).unwrap();
    }
    let mut running = start(&lane, with(&[(tree.path(), "/tree", Access::ReadWrite)])).await;
    for (program, reason) in [
        ("no-such-agent", "not found"),
        ("/tree/plain", "not an executable file"),
        ("/tree/script", "interpreter"),
        ("/tree/garbage", "neither a program"),
    ] {
        let error = running.exec(Command::new(program, "/tree")).await.unwrap_err();
        assert!(matches!(error, Error::Program { lane: "native", .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(program) && message.contains(reason), "{message}");
    }
    let error = running.exec(Command::new("true", "/no/such/dir")).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidSpec { what, .. } if what.contains("/no/such/dir")), "{error:?}");
}

#[tokio::test]
async fn files_in_a_mounted_tree_belong_to_the_same_user_on_both_sides() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("ours"), "x").unwrap();
    let spec = with(&[(tree.path(), text(tree.path()), Access::ReadWrite)]);
    let script = "test -O ours && test -G ours && echo theirs > new && stat -c %u new && id -u && id -un";
    let mut command = sh(script);
    command.workdir = tree.path().into();
    let seen = run(&lane, spec, command).await.ok();
    let lines: Vec<_> = seen.out().lines().collect();
    assert!(lines[0] == lines[1] && lines[1] != "0" && lines[2] == "agent", "{lines:?}");
    let (ours, new) = (tree.path().join("ours"), tree.path().join("new"));
    assert_eq!(new.metadata().unwrap().uid(), ours.metadata().unwrap().uid());
    assert_eq!(std::fs::read_to_string(new).unwrap(), "theirs\n");
}

#[tokio::test]
async fn a_read_only_mount_stays_as_it_is() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("file"), "before").unwrap();
    let script = "cat file; echo x > file || echo refused; rm -f file || echo refused; touch new || echo refused;
         chmod 777 file || echo refused; touch file || echo refused";
    let mut command = sh(script);
    command.workdir = "/elsewhere/tree".into();
    let seen = run(&lane, with(&[(tree.path(), "/elsewhere/tree", Access::ReadOnly)]), command).await;
    assert_eq!(seen.out(), "beforerefused\nrefused\nrefused\nrefused\nrefused", "{}", seen.text());
    assert_eq!(std::fs::read_to_string(tree.path().join("file")).unwrap(), "before");
    assert_eq!(std::fs::read_dir(tree.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_mounted_over_a_file_can_be_neither_written_nor_replaced_nor_moved_away() {
    let Some(lane) = native() else { return };
    let (tree, safe) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (pointer, shown) = (tree.path().join(".git"), safe.path().join("pointer"));
    std::fs::write(&pointer, "the tree's own").unwrap();
    std::fs::write(&shown, "the one to see").unwrap();
    let spec = with(&[(tree.path(), "/tree", Access::ReadWrite), (&shown, "/tree/.git", Access::ReadOnly)]);
    let script = "cat .git; echo; echo x 2>/dev/null > .git || echo refused; rm -f .git || echo refused;
         mv .git away || echo refused; ln -sf /tmp .git || echo refused; echo y > y; mv y .git || echo refused;
         chmod 666 .git || echo refused; mv /tree /gone || echo refused; cat .git";
    let mut command = sh(script);
    command.workdir = "/tree".into();
    let seen = run(&lane, spec, command).await;
    let lines: Vec<_> = seen.out().lines().collect();
    assert_eq!(lines.first(), Some(&"the one to see"), "{}", seen.text());
    assert_eq!(lines.last(), Some(&"the one to see"), "{}", seen.text());
    assert_eq!(lines.iter().filter(|l| **l == "refused").count(), 7, "{}", seen.text());
    assert_eq!(std::fs::read_to_string(&pointer).unwrap(), "the tree's own");
    assert_eq!(std::fs::read_to_string(&shown).unwrap(), "the one to see");
}

#[tokio::test]
async fn a_target_that_an_earlier_command_made_a_link_is_refused_and_not_followed() {
    let Some(lane) = native() else { return };
    let (tree, safe) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(tree.path().join("a")).unwrap();
    std::fs::write(tree.path().join("a/file"), "x").unwrap();
    let shown = safe.path().join("shown");
    std::fs::write(&shown, "shown").unwrap();
    let spec = with(&[(tree.path(), "/tree", Access::ReadWrite), (&shown, "/tree/a/file", Access::ReadOnly)]);
    let mut running = start(&lane, spec).await;
    // What a program of an earlier sandbox could have left, after the check of this one.
    std::fs::rename(tree.path().join("a"), tree.path().join("b")).unwrap();
    std::os::unix::fs::symlink("b", tree.path().join("a")).unwrap();
    let error = running.exec(sh("true")).await.unwrap_err();
    assert!(format!("{error:?}").contains("/tree/a"), "{error:?}");
}

#[tokio::test]
async fn a_target_below_a_mount_is_never_made_on_the_host() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    let spec =
        with(&[(tree.path(), "/tree", Access::ReadWrite), (Path::new("/usr/bin"), "/tree/bin", Access::ReadOnly)]);
    let error = lane.start(spec).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidSpec { what, .. } if what.contains("/tree/bin")), "{error:?}");
    assert_eq!(std::fs::read_dir(tree.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn home_persists_when_it_is_the_callers_and_tmp_never_does() {
    let Some(lane) = native() else { return };
    let home = tempfile::tempdir().unwrap();
    let mut spec = standard();
    spec.home = Some(home.path().into());
    let mut running = start(&lane, spec).await;
    let first = "test $HOME = /home/agent && echo kept > $HOME/note && echo lost > /tmp/note";
    watch(running.exec(sh(first)).await.unwrap()).await.ok();
    let second = running.exec(sh("cat $HOME/note; test -e /tmp/note || echo gone")).await.unwrap();
    assert_eq!(watch(second).await.ok().out(), "kept\ngone");
    assert_eq!(std::fs::read_to_string(home.path().join("note")).unwrap(), "kept\n");
    assert_eq!(running.stop(std::time::Duration::ZERO).await.unwrap(), Stopped::Idle);
    let fresh = run(&lane, standard(), sh("ls -A $HOME; touch $HOME/x && echo ok")).await.ok();
    assert_eq!(fresh.out(), "ok");
}

#[tokio::test]
async fn everything_that_can_be_written_outside_of_mounts_is_limited_together() {
    let Some(lane) = native() else { return };
    let mut spec = standard();
    spec.policy.limits.tmp = 4 << 20;
    let script = "head -c 2000000 /dev/zero > /tmp/a && head -c 1000000 /dev/zero > /dev/shm/b && echo fits;
         head -c 3000000 /dev/zero > $HOME/c || echo full";
    assert_eq!(run(&lane, spec, sh(script)).await.out(), "fits\nfull");
}

#[tokio::test]
async fn a_system_path_of_the_options_is_readable_and_not_writable() {
    let tools = tempfile::tempdir().unwrap();
    std::fs::write(tools.path().join("tool"), "works").unwrap();
    let Some(lane) = native_with(NativeOptions::default().system(tools.path())) else { return };
    let script = format!("cat {0}/tool; touch {0}/x || echo refused", text(tools.path()));
    assert_eq!(run(&lane, standard(), sh(script)).await.out(), "worksrefused");
}

#[tokio::test]
async fn thirty_two_sandboxes_at_once_do_not_meet() {
    let Some(lane) = native() else { return };
    let lane = std::sync::Arc::new(lane);
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let lane = std::sync::Arc::clone(&lane);
            tokio::spawn(async move {
                let tree = tempfile::tempdir().unwrap();
                let spec = with(&[(tree.path(), "/tree", Access::ReadWrite)]);
                let script = format!(
                    "echo {n} > /tree/n; echo {n} > /tmp/n; sleep 0.5; cat /tmp/n; ls /proc | grep -c '^[0-9]'"
                );
                let seen = run(&*lane, spec, sh(script)).await.ok();
                let (own, processes) = seen.out().split_once('\n').unwrap();
                assert_eq!(own, n.to_string());
                // The shell, `ls` and `grep`; process 1 does not show.
                assert!(processes.parse::<u32>().unwrap() <= 3, "{processes}");
                assert_eq!(std::fs::read_to_string(tree.path().join("n")).unwrap(), format!("{n}\n"));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_adopted_or_listed_because_nothing_outlives_its_owner() {
    let Some(lane) = native() else { return };
    let wanted = standard();
    let id = wanted.id.clone();
    let mut running = start(&lane, wanted).await;
    assert!(running.resume().await.unwrap().is_none());
    assert!(lane.adopt(&id).await.unwrap().is_none());
    assert!(lane.list(&[].into()).await.unwrap().is_empty());
}

/// Root may make control groups, and the kernel exempts it from limits; so what holds for an ordinary user is tested as
/// one.
#[test]
fn an_ordinary_user_is_kept_in_the_same_bounds() {
    if native().is_none() || !rustix::process::geteuid().is_root() {
        return skipped("the other tests ran as an ordinary user already");
    }
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let copy = place.path().join("it");
    copy_these_tests(&copy);
    let output = std::process::Command::new(&copy)
        .args(["--exact", "--test-threads=2"])
        .args([
            "hostile::a_fork_bomb_ends_at_its_deadline_and_leaves_nothing",
            "hostile::a_sandbox_gets_no_more_processes_than_its_limit",
            "hostile::memory_is_limited_for_all_processes_together",
            "hostile::nothing_outside_of_writable_mounts_can_be_written",
            "hostile::processes_of_the_host_can_be_neither_seen_nor_signalled_nor_read",
            "native::a_standard_policy_is_kept_and_covers_all_isolation",
            "native::files_in_a_mounted_tree_belong_to_the_same_user_on_both_sides",
            "native_calls::every_call_that_reaches_around_the_walls_is_refused_and_nothing_beside_it",
            "native_calls::no_privilege_is_left_and_none_can_be_regained",
            "native_disk::files_that_lost_their_names_are_still_counted",
            "native_disk::many_files_that_fit_alone_and_not_together_are_out_of_disk",
            "native_wall::a_directory_of_the_host_that_somebody_hands_in_opens_nothing_below",
        ])
        .env_clear()
        .envs([("HOME", text(place.path())), ("HEDGEROW_REQUIRE", "native"), ("PATH", "/usr/bin:/bin")])
        .current_dir(place.path())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("12 passed"), "{said}");
}
