//! Rules about bringing back what was rescued.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::bench::{Bench, ensure, is_occupied, read, remove, told, write};
use super::{Found, Rule};
use crate::{Base, CommitId, Disposition, Request, Rescue};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "restoring-brings-everything-back",
        demand: "A restored worktree has every file, mode, symlink and deletion of the rescued one.",
        check: |bench| Box::pin(everything(bench)),
    },
    Rule {
        name: "restoring-is-creating",
        demand: "A restored worktree has the id and branch of its request; names that are taken are Error::Occupied.",
        check: |bench| Box::pin(is_creation(bench)),
    },
    Rule {
        name: "restoring-leaves-the-rescue",
        demand: "A rescue ref stays when what it holds was restored, and it can be restored again.",
        check: |bench| Box::pin(leaves_rescue(bench)),
    },
    Rule {
        name: "what-is-lost-cannot-be-restored",
        demand: "Restoring a commit that is not there is an error, and leaves nothing behind.",
        check: |bench| Box::pin(lost(bench)),
    },
];

impl Bench {
    /// Work that was archived, of a worktree that started with a file `gone`.
    async fn rescue(&self) -> Result<Rescue, String> {
        let first = self.create("first").await?;
        write(first.path(), "gone", "x\n")?;
        let base = Base::Commit(self.capture(&first).await?.tip);
        let request = Request { base, ..self.request("one", "one") };
        let one = told("creating a worktree", self.manager.create(request).await)?;
        remove(one.path(), "gone")?;
        write(one.path(), "deep/work", "done\n")?;
        write(one.path(), "run", "x\n")?;
        let permissions = std::fs::Permissions::from_mode(0o755);
        let made = std::fs::set_permissions(one.path().join("run"), permissions)
            .and_then(|()| symlink("deep/work", one.path().join("link")));
        made.map_err(|e| format!("the work cannot be done: {e}"))?;
        let released = self.release(one, Disposition::Archive).await?;
        released.rescues.last().cloned().ok_or_else(|| "nothing was rescued.".into())
    }
}

async fn everything(bench: Bench) -> Found {
    let rescue = bench.rescue().await?;
    let again = told("a restore", bench.manager.restore(&rescue, bench.request("again", "again")).await)?;
    let tree = again.path();
    ensure!(read(tree, "deep/work").as_deref() == Some("done\n"), "a file holds {:?}.", read(tree, "deep/work"));
    let executable = tree.join("run").metadata().is_ok_and(|meta| meta.permissions().mode() & 0o100 != 0);
    ensure!(executable, "an executable file is not there, or not executable.");
    let link = std::fs::read_link(tree.join("link"));
    ensure!(link.as_ref().is_ok_and(|to| to == Path::new("deep/work")), "a symlink leads to {link:?}.");
    ensure!(read(tree, "gone").is_none(), "a deleted file is back.");
    Ok(())
}

async fn is_creation(bench: Bench) -> Found {
    let rescue = bench.rescue().await?;
    let again = told("a restore", bench.manager.restore(&rescue, bench.request("again", "other")).await)?;
    let branch = again.branch().map(|branch| branch.as_str());
    ensure!(again.id().as_str() == "again" && branch == Some("other"), "it is {again:?}.");
    for (id, branch) in [("again", "free"), ("free", "other")] {
        let taken = bench.manager.restore(&rescue, bench.request(id, branch)).await;
        ensure!(is_occupied(&taken), "one of id {id} and branch {branch} was answered with {taken:?}.");
    }
    Ok(())
}

async fn leaves_rescue(bench: Bench) -> Found {
    let rescue = bench.rescue().await?;
    for name in ["again", "and-again"] {
        let again = told("a restore", bench.manager.restore(&rescue, bench.request(name, name)).await)?;
        ensure!(read(again.path(), "deep/work").is_some(), "{name} lacks the work.");
        let rescues = bench.rescues("one").await?;
        ensure!(rescues.contains(&rescue), "afterwards there are {rescues:?}.");
    }
    Ok(())
}

async fn lost(bench: Bench) -> Found {
    let commit = CommitId::new("0123456789".repeat(4)).expect("these are forty digits");
    let rescue = Rescue { reference: "refs/hedgerow/rescue/one/1".into(), commit };
    let made = bench.manager.restore(&rescue, bench.request("one", "one")).await;
    ensure!(made.is_err(), "it was answered with {made:?}.");
    let count = bench.count().await?;
    ensure!(count == 0, "{count} worktrees are listed.");
    bench.create("one").await.map(drop)
}
