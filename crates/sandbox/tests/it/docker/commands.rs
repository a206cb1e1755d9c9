//! What a caller sees of commands that end by themselves, and of those that cannot be started.

use std::time::Duration;

use hedgerow_sandbox::{Command, DockerOptions, DockerSandbox, End, Error, Network, Sandbox};

use super::{lane, listen, once, refused, sh, spec, tree, until, writable};

#[tokio::test]
async fn both_streams_and_the_exit_status_arrive() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let said = once(&lane, spec("echo", &tree), sh("echo out; echo err >&2; exit 7", &tree)).await;
    assert_eq!((said.out().as_str(), said.err().as_str()), ("out\n", "err\n"));
    assert_eq!(said.exit.end, End::Exited { code: 7 });
    assert_eq!(said.exit.written, 8);
    assert!(!said.exit.success());
}

#[tokio::test]
async fn bytes_that_are_no_text_arrive_unchanged() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let said = once(&lane, spec("bytes", &tree), sh(r"printf '\377\000\001\n\n\r\0end'", &tree)).await;
    assert_eq!(said.out, b"\xff\x00\x01\n\n\r\x00end");
}

#[tokio::test]
async fn of_a_command_that_may_have_been_killed_by_a_signal_no_more_is_said_than_is_known() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    for (script, end) in [
        ("kill -KILL $$", End::ExitedOrSignaled { code: 137 }),
        ("exit 137", End::ExitedOrSignaled { code: 137 }),
        ("kill -SEGV $$", End::ExitedOrSignaled { code: 139 }),
        ("exit 145", End::Exited { code: 145 }),
        ("exit 127", End::Exited { code: 127 }),
        ("nosuchprogram", End::Exited { code: 127 }),
        ("exit 255", End::Exited { code: 255 }),
    ] {
        let said = once(&lane, spec("signal", &tree), sh(script, &tree)).await;
        assert_eq!(said.exit.end, end, "{script}");
    }
}

#[tokio::test]
async fn output_arrives_while_the_command_runs() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut running = lane.start(spec("stream", &tree)).await.expect("starts");
    // The command ends only when it sees the file that is made after its first output has arrived.
    let script = "echo ready; until [ -e go ]; do sleep 0.05; done; echo done";
    let mut process = running.exec(sh(script, &tree)).await.expect("runs");
    until(&mut process, "ready").await;
    std::fs::write(tree.path.join("go"), "").expect("written");
    let said = listen(process).await;
    assert_eq!(said.out(), "done\n");
    assert!(said.exit.success());
}

#[tokio::test]
async fn standard_input_is_delivered_whole_and_then_ends() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let input: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let said = once(&lane, spec("stdin", &tree), sh("cat > copy; wc -c < copy", &tree).stdin(input.clone())).await;
    assert_eq!(said.out().trim(), "3000000");
    assert!(std::fs::read(tree.path.join("copy")).expect("copy") == input, "the copy differs");
}

#[tokio::test]
async fn a_program_that_reads_with_no_input_given_sees_the_end_at_once() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let said = once(&lane, spec("nostdin", &tree), sh("cat; echo end", &tree)).await;
    assert_eq!(said.out(), "end\n");
}

#[tokio::test]
async fn a_program_that_ignores_its_input_does_not_hang_the_lane() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let said = once(&lane, spec("ignored", &tree), sh("exit 3", &tree).stdin(vec![b'x'; 4 << 20])).await;
    assert_eq!(said.exit.end, End::Exited { code: 3 });
}

#[tokio::test]
async fn the_environment_holds_what_was_given_and_nothing_else() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let command = Command::new("env", &tree.path).env("GIVEN", "a b=c").deadline(Duration::from_secs(60));
    let said = once(&lane, spec("env", &tree), command).await;
    let out = said.out();
    let mut names: Vec<_> = out.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "LANG", "PATH", "TINI_KILL_PROCESS_GROUP", "TMPDIR"]);
    assert!(out.contains("GIVEN=a b=c\n") && out.contains("HOME=/home/agent\n"), "{out}");
}

#[tokio::test]
async fn commands_of_one_sandbox_run_one_after_the_other_and_share_the_given_home() {
    let Some(lane) = lane().await else { return };
    let (tree, home) = (tree(), tree());
    let mut running = lane
        .start(hedgerow_sandbox::Spec { home: Some(home.path.clone()), ..spec("home", &tree) })
        .await
        .expect("starts");
    let first = listen(running.exec(sh("echo kept > $HOME/note", &tree)).await.expect("first")).await;
    assert!(first.exit.success(), "{}", first.err());
    let second = listen(running.exec(sh("cat ~/note", &tree)).await.expect("second")).await;
    assert_eq!(second.out(), "kept\n");
    running.stop(Duration::ZERO).await.expect("stopped");
}

#[tokio::test]
async fn a_second_command_at_the_same_time_is_refused() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut running = lane.start(spec("second", &tree)).await.expect("starts");
    let first = running.exec(sh("sleep 60", &tree)).await.expect("first");
    let error = running.exec(sh("true", &tree)).await.expect_err("one at a time");
    assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
    drop(first);
    let said = listen(running.exec(sh("echo free", &tree)).await.expect("after the first was dropped")).await;
    assert_eq!(said.out(), "free\n");
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_lane_and_the_image() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("missing", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    for (program, why) in
        [("no-such-agent", "No such file"), ("/no/such/agent", "No such file"), ("/etc/passwd", "Permission denied")]
    {
        let error = refused(&mut running, Command::new(program, &tree.path)).await;
        assert!(matches!(error, Error::Program { .. }), "{error}");
        let text = error.to_string();
        for part in [program, "docker", super::IMAGE, why] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
    super::gone(&id).await;
}

#[tokio::test]
async fn arguments_beyond_what_the_kernel_takes_are_a_program_error() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut running = lane.start(spec("long", &tree)).await.expect("starts");
    let error = refused(&mut running, Command::new("echo", &tree.path).args(["x".repeat(200_000)])).await;
    assert!(matches!(error, Error::Program { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_working_directory_is_named_and_not_made() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("workdir", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    let below = tree.path.join("missing");
    for workdir in [below.to_str().expect("text"), "/nowhere/at/all", "/tmp/missing", "/opt/missing", "/opt/missing"] {
        let error = running.exec(Command::new("true", workdir)).await.expect_err("there is no such directory");
        assert!(matches!(error, Error::InvalidSpec { .. }) && error.to_string().contains(workdir), "{error}");
    }
    assert!(!below.exists());
    for workdir in ["/usr", "/usr", "/"] {
        let said = listen(running.exec(Command::new("pwd", workdir)).await.expect("the image has it")).await;
        assert_eq!(said.out().trim_end(), workdir);
    }
    super::gone(&id).await;
}

#[tokio::test]
async fn mounts_that_cannot_be_meant_so_are_refused_before_anything_starts() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let missing = tree.path.join("missing");
    for source in [missing.as_path(), std::path::Path::new("/var/run/docker.sock"), std::path::Path::new("/run")] {
        let mut spec = spec("mounts", &tree);
        spec.mounts.push(writable(source));
        let id = spec.id.clone();
        let error = lane.start(spec).await.expect_err("refused");
        assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
        assert!(super::containers(&id).await.is_empty());
    }
}

#[tokio::test]
async fn a_limit_of_zero_is_refused_since_an_engine_takes_it_for_none() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    for zero in 0..3 {
        let mut spec = spec("zero", &tree);
        let limits = &mut spec.policy.limits;
        match zero {
            0 => limits.memory = Some(0),
            1 => limits.pids = Some(0),
            _ => limits.cpu_millis = Some(0),
        }
        let error = lane.start(spec).await.expect_err("refused");
        assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_deadline_beyond_all_clocks_is_none() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut command = sh("echo fine", &tree).deadline(Duration::MAX);
    (command.idle, command.grace) = (Some(Duration::MAX), Duration::MAX);
    assert_eq!(once(&lane, spec("forever", &tree), command).await.out(), "fine\n");
}

#[tokio::test]
async fn a_policy_that_contradicts_itself_is_refused() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("contradiction", &tree);
    spec.policy.network = Network::Host;
    let error = lane.start(spec).await.expect_err("no network and the host's network");
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_image_is_named_with_the_way_to_make_it() {
    if lane().await.is_none() {
        return;
    }
    let error = DockerSandbox::connect(DockerOptions::new("no-such-image:ever")).await.expect_err("there is none");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("no-such-image:ever") && text.contains("scripts/docker-image"), "{text}");
}

#[tokio::test]
async fn a_missing_engine_is_named_with_its_socket() {
    let dir = tempfile::TempDir::new().expect("directory");
    let missing = dir.path().join("none.sock");
    let dead = dir.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).expect("socket"));
    for socket in [missing, dead] {
        let options = DockerOptions::new("any").socket(&socket);
        let error = DockerSandbox::connect(options).await.expect_err("there is none");
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(socket.to_str().expect("text")) && text.contains("start one"), "{text}");
    }
}

#[tokio::test]
async fn a_file_mounted_over_a_file_of_the_tree_is_what_the_command_reads() {
    let Some(lane) = lane().await else { return };
    let (tree, other) = (tree(), tree());
    std::fs::write(tree.path.join("pointer"), "old").expect("written");
    let file = other.path.join("new");
    std::fs::write(&file, "new").expect("written");
    let mut spec = spec("over", &tree);
    spec.mounts.push(hedgerow_sandbox::Mount {
        source: file,
        target: tree.path.join("pointer"),
        access: hedgerow_sandbox::Access::ReadOnly,
    });
    let said = once(&lane, spec, sh("cat pointer", &tree)).await;
    assert_eq!(said.out(), "new");
}
