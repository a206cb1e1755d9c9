//! Secrets reach their command and nothing else.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command as Direct, Stdio};

#[cfg(feature = "native")]
use hedgerow_sandbox::{Access, Error, Mount};
use hedgerow_sandbox::{HostSandbox, Output, Redact, Secret};

use crate::world::{eventually, lanes, open, run, sh, start, until, watch};

/// A value that nothing else on this machine has.
fn value(what: &str) -> String {
    format!("s3cret-{what}-{}-{:?}", std::process::id(), std::thread::current().id()).replace(['(', ')'], "-")
}

/// Files of other processes that show this value, of those in `/proc/PID/`.
fn shown_in(file: &str, value: &str) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let own = process.file_name().to_str() == Some(&std::process::id().to_string());
        let Ok(bytes) = std::fs::read(process.path().join(file)) else { continue };
        if !own && String::from_utf8_lossy(&bytes).contains(value) {
            found.push(process.path().display().to_string());
        }
    }
    found
}

/// What `/dev/shm` holds of a value.
fn left_in_memory(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    for directory in std::fs::read_dir("/dev/shm").unwrap().flatten() {
        let Ok(files) = std::fs::read_dir(directory.path()) else { continue };
        for file in files.flatten() {
            let text = std::fs::read_to_string(file.path());
            found.extend(text.is_ok_and(|text| text.contains(value)).then(|| file.path().display().to_string()));
        }
    }
    found
}

#[tokio::test]
async fn a_command_gets_its_secrets_and_the_next_one_finds_no_trace_of_them() {
    for lane in lanes() {
        let (key, token) = (value("key"), value("token"));
        let mut command = sh(
            "test \"$KEY\" && test -s \"$TOKEN_FILE\" && stat -c '%a %u' \"$TOKEN_FILE\" && stat -f -c %T \"$TOKEN_FILE\" && id -u \
             && printf '%s|%s\\n' \"$KEY\" \"$(cat \"$TOKEN_FILE\")\"",
        )
        .secret(Secret::variable("KEY", key.as_str()).unwrap())
        .secret(Secret::file("token", token.as_str()).unwrap().path_in("TOKEN_FILE").unwrap());
        command.redact = Redact::Nothing;
        let mut running = start(&*lane, open()).await;
        let seen = watch(running.exec(command).await.unwrap()).await.ok();
        let user = seen.out().lines().nth(2).unwrap().to_owned();
        assert_eq!(seen.out(), format!("400 {user}\ntmpfs\n{user}\n{key}|{token}"), "{lane:?}");

        let look = "env; cat /proc/*/environ 2>/dev/null; ls /run/secrets 2>&1; ls -d /dev/shm/hedgerow-* 2>&1; cat /run/secrets/* 2>&1";
        let seen = watch(running.exec(sh(look)).await.unwrap()).await;
        let text = seen.text();
        assert!(!text.contains(&key) && !text.contains(&token) && !text.contains("TOKEN_FILE="), "{lane:?}: {text}");
        assert_eq!(left_in_memory(&token), [""; 0], "{lane:?}");
    }
}

#[tokio::test]
async fn a_secret_in_a_file_is_in_no_command_line_and_no_environment_of_the_host() {
    for lane in lanes() {
        let (key, token) = (value("k"), value("t"));
        let command = sh("cat \"$TOKEN_FILE\" >/dev/null && echo ready && sleep 30")
            .secret(Secret::file("token", token.as_str()).unwrap().path_in("TOKEN_FILE").unwrap())
            .secret(Secret::variable("KEY", key.as_str()).unwrap());
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(command).await.unwrap();
        until(&mut process, "ready").await;
        for secret in [&token, &key] {
            assert_eq!(shown_in("cmdline", secret), [""; 0], "{lane:?}");
        }
        assert_eq!(shown_in("environ", &token), [""; 0], "{lane:?}");
        // The control: a variable is there for whoever may look at the process, which is said of it.
        assert!(!shown_in("environ", &key).is_empty(), "{lane:?}");
        process.stopper().kill();
        watch(process).await;
    }
}

#[tokio::test]
async fn a_value_is_taken_out_of_the_output_also_when_it_comes_in_two_pieces() {
    for lane in lanes() {
        let key = value("out");
        let (first, second) = key.split_at(9);
        let script = format!(
            "printf 'a %s b ' \"$KEY\"; printf %s '{first}'; sleep 0.2; printf '%s c\\n' '{second}'; printf '%s' \"$KEY\" >&2; printf '{first}'"
        );
        let command = sh(&script).secret(Secret::variable("KEY", format!("{key}\n")).unwrap());
        let seen = run(&*lane, open(), command.clone()).await.ok();
        let (out, err) = (String::from_utf8_lossy(&seen.stdout), String::from_utf8_lossy(&seen.stderr));
        // The variable's line end is no part of the value.
        let expected = format!("a [secret KEY]\n b [secret KEY] c\n{first}");
        assert_eq!((out.as_ref(), err.as_ref()), (expected.as_str(), "[secret KEY]\n"), "{lane:?}");
        assert_eq!(seen.exit.written, seen.stdout.len() as u64 + seen.stderr.len() as u64);

        let mut plain = command;
        plain.redact = Redact::Nothing;
        let seen = run(&*lane, open(), plain).await.ok();
        assert!(seen.out().contains(&key), "{lane:?}");
    }
}

#[tokio::test]
async fn a_prompt_is_not_held_back_because_a_value_might_follow() {
    for lane in lanes() {
        let command = sh("printf 'name? '; sleep 30").secret(Secret::variable("KEY", value("p")).unwrap());
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(command).await.unwrap();
        until(&mut process, "name? ").await;
        process.stopper().kill();
        while let Some(output) = process.next().await {
            assert!(!matches!(output, Output::Truncated { .. }));
        }
    }
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    for lane in lanes() {
        let key = value("error");
        let mut running = start(&*lane, open()).await;
        let mut missing = sh("true").secret(Secret::file("f", key.as_str()).unwrap());
        missing.program = "/no/such/program".into();
        let mut nowhere = sh("true").secret(Secret::variable("KEY", key.as_str()).unwrap());
        nowhere.workdir = "/no/such/directory".into();
        let twice = sh("true").env("KEY", "1").secret(Secret::variable("KEY", key.as_str()).unwrap());
        for command in [missing, nowhere, twice] {
            let debug = format!("{command:?}");
            let error = running.exec(command).await.unwrap_err();
            assert!(!format!("{error} {error:?} {debug}").contains("s3cret"), "{error}");
        }
        assert_eq!(left_in_memory(&key), [""; 0], "{lane:?}");
    }
}

#[cfg(feature = "native")]
#[tokio::test]
async fn a_secret_is_not_written_into_a_directory_of_the_host_that_is_mounted_over_its_place() {
    let Some(lane) = crate::world::native() else { return };
    for target in ["/run/secrets", "/run"] {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = open();
        spec.policy.network = hedgerow_sandbox::Network::None;
        spec.mounts = vec![Mount { source: directory.path().into(), target: target.into(), access: Access::ReadWrite }];
        let mut running = start(&lane, spec).await;
        let command = sh("true").secret(Secret::file("token", value("mount")).unwrap());
        let error = running.exec(command).await.unwrap_err();
        assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{target}");
    }
}

/// Its presence makes this binary the embedding program of the next test.
const ROLE: &str = "HEDGEROW_TEST_SECRET";

#[tokio::test]
async fn role_keeper() {
    let Ok(secret) = std::env::var(ROLE) else { return };
    let lane = HostSandbox::new().unwrap();
    let mut running = start(&lane, open()).await;
    let command = sh("echo started; sleep 60").secret(Secret::file("token", secret).unwrap());
    let mut process = running.exec(command).await.unwrap();
    until(&mut process, "started").await;
    // Straight to the descriptor: the test harness holds back what is printed.
    std::io::stderr().write_all(b"running\n").unwrap();
    watch(process).await;
}

#[test]
fn when_the_embedding_program_is_killed_its_secret_files_go() {
    let value = value("killed");
    let mut embedder = Direct::new(std::env::current_exe().unwrap())
        .args(["--exact", "secrets::role_keeper", "--nocapture"])
        .env(ROLE, &value)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stderr = embedder.stderr.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"running\n") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    assert_eq!(left_in_memory(&value).len(), 1);
    let path = left_in_memory(&value).remove(0);
    embedder.kill().unwrap();
    embedder.wait().unwrap();
    eventually("the file is gone", || !Path::new(&path).exists());
    eventually("its directory too", || !Path::new(&path).parent().unwrap().exists());
}
