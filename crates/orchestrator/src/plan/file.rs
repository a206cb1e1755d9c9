//! The plan as a TOML file.

use std::collections::BTreeMap;
use std::time::Duration;

use hedgerow_merge::BranchName;
use serde::Deserialize;

use super::{GateSpec, Plan};
use crate::agents::{CommandAgent, PromptBy};
use crate::{Error, Result, Task, TaskId};

const DEADLINE: Duration = Duration::from_secs(30 * 60);
const GATE_DEADLINE: Duration = Duration::from_secs(10 * 60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    target: Option<BranchName>,
    gate: Gate,
    #[serde(default)]
    agents: BTreeMap<String, Agent>,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default, rename = "task")]
    tasks: Vec<FileTask>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a table with a command, or \"none\"")]
enum Gate {
    Word(NoGate),
    Command(GateCommand),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum NoGate {
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GateCommand {
    command: Vec<String>,
    deadline: Option<Span>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    command: Vec<String>,
    #[serde(default)]
    prompt: PromptBy,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Defaults {
    agent: Option<String>,
    deadline: Option<Span>,
    idle: Option<Span>,
    turns: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTask {
    id: TaskId,
    prompt: String,
    agent: Option<String>,
    #[serde(default)]
    needs: Vec<TaskId>,
    deadline: Option<Span>,
    idle: Option<Span>,
    turns: Option<u32>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// A time span as people write it: `90s`, `10m`, `1h 30m`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        match humantime::parse_duration(&text) {
            Ok(span) if !span.is_zero() => Ok(Self(span)),
            Ok(_) => Err(format!("time span {text:?} is zero; write for example \"90s\" or \"10m\"")),
            Err(error) => Err(format!("time span {text:?}: {error}; write for example \"90s\" or \"10m\"")),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Plan> {
    let file: File = toml::from_str(text).map_err(|error| Error::Plan { problem: error.to_string() })?;
    let gate = match file.gate {
        Gate::Word(NoGate::None) => GateSpec::None,
        Gate::Command(gate) => GateSpec::Command {
            command: gate.command,
            deadline: gate.deadline.map_or(GATE_DEADLINE, |span| span.0),
            env: gate.env,
        },
    };
    let agent = |agent: Agent| CommandAgent { command: agent.command, prompt: agent.prompt, env: agent.env };
    let agents: BTreeMap<_, _> = file.agents.into_iter().map(|(name, a)| (name, agent(a))).collect();
    let tasks = file.tasks.into_iter().map(|task| file_task(task, &file.defaults)).collect::<Result<_>>()?;
    Ok(Plan { target: file.target, gate, agents, tasks })
}

fn file_task(task: FileTask, defaults: &Defaults) -> Result<Task> {
    let Some(agent) = task.agent.or_else(|| defaults.agent.clone()) else {
        let problem = format!("task {:?} names no agent, and there is no defaults.agent", task.id.as_str());
        return Err(Error::Plan { problem });
    };
    Ok(Task {
        id: task.id,
        prompt: task.prompt,
        agent,
        needs: task.needs,
        deadline: task.deadline.or(defaults.deadline).map_or(DEADLINE, |span| span.0),
        idle: task.idle.or(defaults.idle).map(|span| span.0),
        env: task.env,
        turns: task.turns.or(defaults.turns).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
        target = "main"
        gate = { command = ["make", "test"], deadline = "90s" }
        defaults = { agent = "sh", deadline = "10m" }
        [agents.sh]
        command = ["sh", "-s"]
        [[task]]
        id = "one"
        prompt = "echo 1"
        [[task]]
        id = "two"
        prompt = "echo 2"
        needs = ["one"]
        idle = "1m"
        turns = 3
    "#;

    fn problem(text: &str) -> String {
        parse(text).expect_err("the plan should be refused").to_string()
    }

    #[test]
    fn a_plan_is_read_with_its_defaults() {
        let plan = parse(PLAN).unwrap();
        assert_eq!(plan.tasks[0].deadline, Duration::from_secs(600));
        assert_eq!((plan.tasks[0].turns, plan.tasks[1].turns), (1, 3));
        assert_eq!(plan.tasks[1].idle, Some(Duration::from_secs(60)));
        assert_eq!(plan.tasks[1].needs, vec![TaskId::new("one").unwrap()]);
        assert!(matches!(plan.gate, GateSpec::Command { deadline, .. } if deadline == Duration::from_secs(90)));
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_line() {
        let message = problem(&PLAN.replace("idle =", "idel ="));
        assert!(message.contains("idel") && message.contains("line"), "{message}");
    }

    #[test]
    fn a_bad_branch_name_is_refused() {
        assert!(problem(&PLAN.replace("\"main\"", "\"a..b\"")).contains("a..b"));
    }

    #[test]
    fn a_missing_gate_is_refused_and_none_must_be_said() {
        assert!(problem(&PLAN.replace("gate =", "#gate =")).contains("gate"));
        let none = PLAN.replace("{ command = [\"make\", \"test\"], deadline = \"90s\" }", "\"none\"");
        assert_eq!(parse(&none).unwrap().gate, GateSpec::None);
        assert!(problem(&none.replace("\"none\"", "\"off\"")).contains("none"));
    }

    #[test]
    fn a_task_without_any_agent_is_refused() {
        assert!(problem(&PLAN.replace("agent = \"sh\", ", "")).contains("names no agent"));
    }

    #[test]
    fn a_span_that_is_none_is_refused() {
        assert!(problem(&PLAN.replace("1m", "soon")).contains("soon"));
        assert!(problem(&PLAN.replace("1m", "0s")).contains("zero"));
    }
}
