//! What a run shall do: tasks, their agents, the gate and the target.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hedgerow_merge::BranchName;
use serde::{Deserialize, Serialize};

use crate::agents::{CommandAgent, PromptBy};
use crate::{Error, Result, Task, TaskId};

/// The kernel's limit for one argument, less room for what stands around the prompt.
const LONGEST_ARGUMENT: usize = (128 << 10) - 1024;

/// An agent that has not mended its change after so many turns never will.
const MOST_TURNS: u32 = 20;

/// A set of tasks that land on one branch.
///
/// Build it in Rust with [`new`](Self::new) and [`task`](Self::task), or read it with [`from_toml`](Self::from_toml).
/// It is checked as a whole when a run starts, before anything happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The branch that changes land on; the repository's current branch when none is named.
    pub target: Option<BranchName>,
    /// What every candidate must pass.
    pub gate: GateSpec,
    /// Command-line agents by name. Agents written in Rust are given to the fleet instead.
    pub agents: BTreeMap<String, CommandAgent>,
    /// The tasks, in the order in which they start when nothing else decides.
    pub tasks: Vec<Task>,
}

/// What every candidate must pass before it lands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateSpec {
    /// A command that must end with status 0, in a sandbox, on a clean worktree of exactly the candidate.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// How long it may take.
        deadline: Duration,
        /// Variables for it.
        env: BTreeMap<String, String>,
    },
    /// Nothing: what merges cleanly lands. It has to be said in so many words.
    None,
}

impl GateSpec {
    /// A gate that runs this command line for at most ten minutes.
    pub fn command<A: Into<String>>(command: impl IntoIterator<Item = A>) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self::Command { command, deadline: Duration::from_secs(600), env: BTreeMap::new() }
    }
}

impl Plan {
    /// A plan without tasks for the repository's current branch.
    pub fn new(gate: GateSpec) -> Self {
        Self { target: None, gate, agents: BTreeMap::new(), tasks: Vec::new() }
    }

    /// Reads a plan file. `docs/plan.md` describes the format; unknown fields are refused.
    ///
    /// # Errors
    /// [`Error::Plan`] with the line, what is wrong and what is expected.
    pub fn from_toml(text: &str) -> Result<Self> {
        file::parse(text)
    }

    /// The same plan with one more task.
    #[must_use]
    pub fn task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }

    /// The same plan with one more command-line agent.
    #[must_use]
    pub fn agent(mut self, name: impl Into<String>, agent: CommandAgent) -> Self {
        self.agents.insert(name.into(), agent);
        self
    }

    /// The same plan for another branch.
    #[must_use]
    pub fn target(mut self, branch: BranchName) -> Self {
        self.target = Some(branch);
        self
    }

    /// Checks the plan as a whole; `known` are the agents that the fleet brings.
    ///
    /// # Errors
    /// [`Error::Plan`] for no tasks, two tasks with one name, an unknown prerequisite or agent, an empty command line,
    /// no turn or more than 20, or a cycle, which is named task by task.
    pub fn check(&self, known: &BTreeSet<String>) -> Result<()> {
        let refuse = |problem: String| Err(Error::Plan { problem });
        if self.tasks.is_empty() {
            return refuse("it has no tasks; add a [[task]] with an id, an agent and a prompt".into());
        }
        let mut ids = BTreeSet::new();
        for task in &self.tasks {
            if !ids.insert(&task.id) {
                return refuse(format!("two tasks are called {:?}; every id is used once", task.id.as_str()));
            }
        }
        for (name, agent) in &self.agents {
            if agent.command.is_empty() {
                return refuse(format!("agent {name:?} has an empty command; give a program and its arguments"));
            }
        }
        if matches!(&self.gate, GateSpec::Command { command, .. } if command.is_empty()) {
            return refuse(
                "the gate has an empty command; give a program and its arguments, or gate = \"none\"".into(),
            );
        }
        for task in &self.tasks {
            let id = task.id.as_str();
            if !self.agents.contains_key(&task.agent) && !known.contains(&task.agent) {
                let names: Vec<_> = self.agents.keys().chain(known).map(String::as_str).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return refuse(format!("task {id:?} wants agent {:?}, which is not among: {names}", task.agent));
            }
            if !(1..=MOST_TURNS).contains(&task.turns) {
                return refuse(format!("task {id:?} has {} turns; give it 1 to {MOST_TURNS}", task.turns));
            }
            if let Some(missing) = task.needs.iter().find(|need| !ids.contains(need)) {
                return refuse(format!("task {id:?} needs {:?}, which is no task of this plan", missing.as_str()));
            }
        }
        if let Some(problem) = self.unusable_words() {
            return refuse(problem);
        }
        match self.cycle() {
            Some(cycle) => refuse(format!("tasks need each other in a circle: {}", cycle.join(" -> "))),
            None => Ok(()),
        }
    }

    /// What no kernel takes as a command line or an environment.
    fn unusable_words(&self) -> Option<String> {
        let nul = |whose: String, words: &[String]| {
            words.iter().any(|word| word.contains('\0')).then(|| format!("{whose} has a NUL byte in its command"))
        };
        let variables = |whose: String, env: &BTreeMap<String, String>| {
            let bad = env.iter().find(|(k, v)| k.is_empty() || k.contains(['=', '\0']) || v.contains('\0'));
            bad.map(|(key, _)| {
                format!("{whose} has the variable {key:?}; names need a character and no '=', nothing a NUL")
            })
        };
        let agents = self.agents.iter().find_map(|(name, agent)| {
            let whose = format!("agent {name:?}");
            nul(whose.clone(), &agent.command).or_else(|| variables(whose, &agent.env))
        });
        let gate = || match &self.gate {
            GateSpec::Command { command, env, .. } => {
                nul("the gate".into(), command).or_else(|| variables("the gate".into(), env))
            }
            GateSpec::None => None,
        };
        let task = |task: &Task| {
            let by_argument = self.agents.get(&task.agent).is_some_and(|agent| agent.prompt == PromptBy::Argument);
            let long = by_argument && (task.prompt.len() > LONGEST_ARGUMENT || task.prompt.contains('\0'));
            let problem = "has a prompt that cannot be an argument (128 KiB at most, no NUL byte); use stdin or file";
            let prompt = long.then(|| format!("task {:?} {problem}", task.id.as_str()));
            prompt.or_else(|| variables(format!("task {:?}", task.id.as_str()), &task.env))
        };
        agents.or_else(gate).or_else(|| self.tasks.iter().find_map(task))
    }

    /// A circle of prerequisites, if there is one: remove what is free until nothing is, then walk what is left.
    fn cycle(&self) -> Option<Vec<String>> {
        let mut left: BTreeMap<&TaskId, &[TaskId]> = self.tasks.iter().map(|t| (&t.id, &*t.needs)).collect();
        loop {
            let free: Vec<_> = left
                .iter()
                .filter(|(_, needs)| !needs.iter().any(|n| left.contains_key(n)))
                .map(|(id, _)| *id)
                .collect();
            if free.is_empty() {
                break;
            }
            for id in free {
                left.remove(id);
            }
        }
        let mut at = *left.first_key_value()?.0;
        let mut path: Vec<&TaskId> = Vec::new();
        while !path.contains(&at) {
            path.push(at);
            at = left[&at].iter().find_map(|need| left.get_key_value(need)).map(|(id, _)| *id)?;
        }
        let start = path.iter().position(|id| *id == at)?;
        Some(path[start..].iter().chain([&at]).map(|id| id.to_string()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, needs: &[&str]) -> Task {
        let mut task = Task::new(id, "a").unwrap();
        task.needs = needs.iter().map(|n| TaskId::new(*n).unwrap()).collect();
        task
    }

    fn check(tasks: Vec<Task>) -> String {
        let mut plan = Plan::new(GateSpec::None).agent("a", CommandAgent::new(["true"]));
        plan.tasks = tasks;
        plan.check(&BTreeSet::new()).map_or_else(|e| e.to_string(), |()| "ok".into())
    }

    #[test]
    fn a_circle_is_named_task_by_task() {
        let message = check(vec![task("z", &["a"]), task("a", &["b"]), task("b", &["c"]), task("c", &["a"])]);
        assert!(message.contains("a -> b -> c -> a"), "{message}");
        assert!(check(vec![task("a", &["a"])]).contains("a -> a"));
    }

    #[test]
    fn two_tasks_with_one_name_are_refused() {
        assert!(check(vec![task("a", &[]), task("a", &[])]).contains("two tasks are called \"a\""));
    }

    #[test]
    fn an_unknown_prerequisite_or_agent_is_named() {
        assert!(check(vec![task("a", &["ghost"])]).contains("\"ghost\""));
        let mut other = task("a", &[]);
        other.agent = "nobody".into();
        assert!(check(vec![other]).contains("\"nobody\", which is not among: a"));
    }

    #[test]
    fn what_cannot_be_a_command_line_or_an_environment_is_refused_before_anything_starts() {
        let mut plan = Plan::new(GateSpec::None).agent("a", CommandAgent::new(["sh", "a\0b"])).task(task("t", &[]));
        assert!(plan.check(&BTreeSet::new()).unwrap_err().to_string().contains("agent \"a\""));
        plan.agents.insert("a".into(), CommandAgent { prompt: PromptBy::Argument, ..CommandAgent::new(["sh"]) });
        plan.tasks[0].prompt = "x".repeat(200 << 10);
        assert!(plan.check(&BTreeSet::new()).unwrap_err().to_string().contains("stdin or file"));
        plan.tasks[0].prompt.clear();
        plan.tasks[0].env.insert("A=B".into(), String::new());
        assert!(plan.check(&BTreeSet::new()).unwrap_err().to_string().contains("A=B"));
    }

    #[test]
    fn a_task_that_may_never_work_or_for_ever_is_refused() {
        for turns in [0, 21] {
            assert!(check(vec![task("a", &[]).turns(turns)]).contains("give it 1 to 20"));
        }
        assert_eq!(check(vec![task("a", &[]).turns(20)]), "ok");
    }

    #[test]
    fn a_diamond_is_no_circle() {
        let tasks = vec![task("a", &[]), task("b", &["a"]), task("c", &["a"]), task("d", &["b", "c"])];
        assert_eq!(check(tasks), "ok");
    }
}
