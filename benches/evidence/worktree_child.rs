//! A process of its own that does one thing to worktrees, so that it can be killed, or that does many at once.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use clap::ValueEnum;
use hedgerow_worktree::{
    Base, BranchName, Disposition, LocalWorktrees, Message, Request, Worktree, WorktreeId, WorktreeManager,
};

use crate::{Failure, worktree_stress};

/// The arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    what: What,
    /// The main checkout.
    repository: PathBuf,
    /// The id, or what ids begin with.
    name: String,
    /// How many tasks, and rounds of each.
    #[arg(num_args = 2, default_values_t = [1, 1])]
    load: Vec<usize>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// gix makes a worktree.
    GixCreate,
    Create,
    Capture,
    Release,
    Recover,
    /// All of it, by many tasks.
    Load,
}

impl What {
    /// A process that will do it. It writes a line when it begins and one when it has ended.
    pub(crate) fn command(self, repository: &Path, name: &str) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let verb = self.to_possible_value().ok_or("every verb has a name")?;
        command.arg("worktree-child").arg(verb.get_name()).arg(repository).arg(name);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (repository, name) = (&args.repository, args.name.as_str());
    if args.what == What::GixCreate {
        return gix_create(repository, name);
    }
    let manager = LocalWorktrees::open(repository)?;
    runtime.block_on(async {
        match args.what {
            What::Create => {
                say("begin")?;
                drop(manager.create(request(name)?).await?);
            }
            What::Capture => {
                let worktree = manager.adopt(&WorktreeId::new(name)?).await?;
                say("begin")?;
                manager.capture(&worktree, message()).await?;
            }
            What::Release => {
                let worktree = manager.adopt(&WorktreeId::new(name)?).await?;
                say("begin")?;
                manager.release(worktree, Disposition::Archive).await?;
            }
            What::Recover => {
                say("begin")?;
                drop(manager.recover().await?);
            }
            What::Load => {
                say("begin")?;
                let [tasks, rounds] = args.load[..] else { return Err("a load has two numbers".into()) };
                for line in worktree_stress::load(&manager, name, tasks, rounds).await.lines() {
                    say(&line)?;
                }
            }
            What::GixCreate => {}
        }
        say("end")
    })
}

fn gix_create(repository: &Path, name: &str) -> Result<(), Failure> {
    let repo = gix::open(repository)?;
    let head = gix::worktree::add::Head::Detached(repo.head_id()?.detach());
    let tree = trees(repository).join(name);
    std::fs::create_dir_all(trees(repository))?;
    say("begin")?;
    repo.add_worktree(tree, head, gix::progress::Discard, &AtomicBool::new(false)).map_err(|e| format!("gix: {e}"))?;
    say("end")
}

/// Where the trees of a repository lie.
pub(crate) fn trees(repository: &Path) -> PathBuf {
    let mut path = repository.as_os_str().to_owned();
    path.push(".worktrees");
    path.into()
}

/// A worktree on a new branch of its own name.
pub(crate) fn request(name: &str) -> Result<Request, Failure> {
    Ok(Request::new(WorktreeId::new(name)?, BranchName::new(name)?, Base::Head))
}

/// Whoever captures.
pub(crate) fn message() -> Message {
    Message { text: "evidence".into(), name: "evidence".into(), email: "evidence@hedgerow.invalid".into() }
}

/// Writes files that nobody has committed, and says where and what.
pub(crate) fn work(worktree: &Worktree) -> Result<(PathBuf, String), Failure> {
    let text = format!("the work of {}\n", worktree.id());
    std::fs::write(worktree.path().join("work"), &text)?;
    Ok(("work".into(), text))
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
