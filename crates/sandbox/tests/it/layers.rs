//! Lanes around lanes add one thing each, and change nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hedgerow_sandbox::audit::{Audit, Event, OptOut, Refusal};
use hedgerow_sandbox::conformance::{self, Scripted};
use hedgerow_sandbox::{
    Audited, Command, Coverage, End, FakeSandbox, Guarantee, HostSandbox, Limited, Limits, Network, OnStop, Policy,
    Sandbox, Script, Secret, Timeout,
};

use crate::world::{open, run, sh, spec, start, watch};

/// A log in memory.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<Event>>);

impl Audit for Log {
    fn record(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Log {
    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

fn all_around<S: Sandbox>(inner: S, log: Arc<Log>) -> impl Sandbox {
    Timeout::new(Limited::new(Audited::new(inner, log), Limits::huge()), Duration::from_secs(600))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_together_keep_every_rule_that_the_lane_inside_keeps() {
    let report = conformance::check(Scripted, async || all_around(Scripted.lane(), Arc::default())).await;
    report.assert();
    assert!(report.kept.len() > 25, "{report}");
    let report =
        conformance::check(conformance::Shell, async || all_around(HostSandbox::new().unwrap(), Arc::default()));
    report.await.assert();
}

#[tokio::test]
async fn a_log_names_what_was_given_and_given_up_and_never_a_value() {
    let log = Arc::new(Log::default());
    let lane = FakeSandbox::of(Script::exits(3).says("the value is hunter2"));
    lane.cover(Guarantee::Disk, Coverage::Unenforced("a fake has no disk".into()));
    let lane = Audited::new(lane, Arc::clone(&log) as Arc<dyn Audit>);
    let mut wanted = spec(Policy::standard().without(Guarantee::NoDevices).without(Guarantee::NoNetwork));
    wanted.policy.network = Network::Host;
    let mut running = start(&lane, wanted.clone()).await;
    let command = Command::new("agent", "/").args(["--key", "hunter2"]).env("KEY", "hunter2");
    let mut command = command.stdin("hunter2");
    command.secrets.push(Secret::variable("TOKEN", "hunter2").unwrap());
    watch(running.exec(command).await.unwrap()).await;
    running.stop(Duration::ZERO).await.unwrap();
    let refused = lane.start(spec(Policy::strict())).await;
    assert!(refused.is_err());

    let text = serde_json::to_string(&log.events()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(serde_json::from_str::<Vec<Event>>(&text).unwrap(), log.events());
    let [started, command, ended, stopped, refused] = &log.events()[..] else { panic!("{text}") };
    let Event::Started { lane, coverage, opt_outs, .. } = started else { panic!("{started:?}") };
    assert_eq!((lane.as_str(), coverage.len()), ("fake", Guarantee::ALL.len()));
    let without = [OptOut::Without(Guarantee::NoNetwork), OptOut::Without(Guarantee::NoDevices)];
    let expected = [&without[..], &[OptOut::AtLeastPartial(Guarantee::Memory), OptOut::HostNetwork]].concat();
    assert_eq!(*opt_outs, expected);
    let Event::Command { program, arguments, secrets, number: 1, .. } = command else { panic!("{command:?}") };
    assert_eq!((program.as_str(), *arguments, secrets.as_slice()), ("agent", 2, &["TOKEN".to_owned()][..]));
    assert!(matches!(ended, Event::Ended { number: 1, end: End::Exited { code: 3 }, .. }), "{ended:?}");
    assert_eq!(*stopped, Event::Stopped { sandbox: wanted.id, killed: false });
    let Event::Refused { why, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(*why, Refusal::Policy(vec![Guarantee::Disk]));
}

#[tokio::test]
async fn no_command_gets_more_time_or_silence_than_the_lane_gives() {
    let lane = FakeSandbox::of(Script::hangs().says("on").on_stop(OnStop::Defies));
    let mut hasty = Command::new("x", "/");
    hasty.grace = Duration::ZERO;
    let short = Timeout::new(lane.clone(), Duration::from_millis(50));
    assert_eq!(run(&short, open(), hasty.clone()).await.exit.end, End::Deadline);
    let idle = Timeout::new(lane, Duration::from_secs(600)).idle(Duration::from_millis(50));
    assert_eq!(run(&idle, open(), hasty).await.exit.end, End::Idle);
}

#[tokio::test]
async fn no_sandbox_gets_more_than_the_ceiling() {
    let lane = Limited::new(HostSandbox::new().unwrap(), Limits { output: 1000, ..Limits::default() });
    let seen = run(&lane, open(), sh("head -c 5000 /dev/zero")).await.ok();
    assert_eq!((seen.stdout.len(), seen.exit.dropped), (1000, 4000));
    let (small, large) = (Limits::small(), Limits { cpu_millis: None, ..Limits::large() });
    assert_eq!(small.min(large), Limits { cpu_millis: small.cpu_millis, ..small });
    assert_eq!(large.min(small), small);
}
