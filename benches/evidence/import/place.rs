//! Puts objects and refs into the view, as an agent could.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;

use super::container;
use super::dice::Dice;
use super::history::Made;

/// Writes a file over whatever is there; what a case swapped for something else is never followed.
pub(super) fn write(root: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    clear(root, name)?;
    let path = root.join(name);
    if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
        remove(&path)?;
    }
    let open = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    open?.write_all(bytes)
}

/// Makes all above this name directories.
fn clear(root: &Path, name: &str) -> io::Result<()> {
    let mut path = root.to_owned();
    let Some((above, _)) = name.rsplit_once('/') else { return Ok(()) };
    for part in above.split('/') {
        path.push(part);
        if path.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
            remove(&path)?;
        }
        match fs::create_dir(&path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// A file, unless it is one of the huge ones with nothing in them.
fn small(path: &Path) -> Option<Vec<u8>> {
    let meta = path.symlink_metadata().ok()?;
    if meta.is_file() && meta.len() <= 1 << 20 { fs::read(path).ok() } else { None }
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path).or_else(|_| fs::remove_file(path))
}

pub(super) fn name(made: &Made) -> String {
    let hex = made.id.to_string();
    format!("objects/{}/{}", &hex[..2], &hex[2..])
}

/// Sound files for all objects.
pub(super) fn objects(dice: &mut Dice, view: &Path, made: &[Made]) -> io::Result<()> {
    if dice.once_in(2) {
        return made.iter().try_for_each(|made| write(view, &name(made), &container::loose(made)));
    }
    write(view, "objects/pack/pack-1.pack", &container::pack(dice, made))
}

/// Sound files, one of which is wrong in itself.
pub(super) fn bad_loose(dice: &mut Dice, view: &Path, made: &[Made]) -> io::Result<()> {
    let bad = dice.below(made.len());
    for (at, made) in made.iter().enumerate() {
        let bytes = if at == bad { container::bad_loose(dice, made) } else { container::loose(made) };
        write(view, &name(made), &bytes)?;
    }
    if dice.once_in(8) {
        // Another object under this name.
        let other = &made[dice.below(made.len())];
        write(view, &name(&made[bad]), &container::loose(other))?;
    }
    Ok(())
}

const REFS: [&str; 20] = [
    "refs/heads/lane",
    "refs/heads/other",
    "refs/heads/main",
    "refs/heads/a.lock",
    "refs/heads/..",
    "refs/heads/../../config",
    "refs/tags/t",
    "refs/stash",
    "refs/replace/1111111111111111111111111111111111111111",
    "refs/hedgerow/rescue/lane/1",
    "HEAD",
    "refs",
    "refs/",
    "refs/heads/a b",
    "refs/heads/a//b",
    "refs/heads/\u{7f}",
    "refs/heads/-x",
    "refs/heads/@{x}",
    "/etc/passwd",
    "",
];

fn id(dice: &mut Dice, made: &[Made]) -> String {
    let id = made[dice.below(made.len())].id.to_string();
    match dice.below(14) {
        0 => id.to_uppercase(),
        1 => id[..39].to_owned(),
        2 => format!("{id}0"),
        3 => "0".repeat(40),
        4 => "1".repeat(64),
        5 => "7".repeat(40),
        6 => format!("{id}\0"),
        _ => id,
    }
}

fn text(dice: &mut Dice, made: &[Made]) -> Vec<u8> {
    let id = id(dice, made);
    let name = dice.pick(&REFS);
    let mut text = match dice.below(12) {
        0 => format!("ref: {name}\n"),
        1 => format!("ref:{name}"),
        2 => format!("ref: \t{name} \n"),
        3 => id,
        4 => format!("{id}\r\n"),
        5 => format!("{id} {name}\n"),
        6 => format!(" {id}\n"),
        7 => "x".repeat([1, 4095, 4096, 4097, 70_000][dice.below(5)]),
        8 => String::new(),
        _ => format!("{id}\n"),
    }
    .into_bytes();
    if dice.once_in(4) {
        dice.garble(&mut text);
    }
    text
}

/// Refs of all kinds, some of them no refs.
pub(super) fn refs(dice: &mut Dice, view: &Path, made: &[Made]) -> io::Result<()> {
    for _ in 0..=dice.below(3) {
        match dice.below(7) {
            0 => write(view, "HEAD", &text(dice, made))?,
            1 => write(view, "refs/heads/lane", &text(dice, made))?,
            2 => write(view, "packed-refs", &packed(dice, made))?,
            3 => {
                let zero = "0".repeat(40);
                let line = format!("{zero} {} a <a@b> 1 +0000\tWIP on lane: x\n", id(dice, made));
                let log = dice.pick(&["logs/refs/stash", "logs/HEAD", "logs/refs/heads/lane"]);
                let mut text = line.repeat(1 + dice.below(3)).into_bytes();
                if dice.once_in(2) {
                    dice.garble(&mut text);
                }
                write(view, log, &text)?;
            }
            4 => {
                let name = dice.pick(&[
                    "refs/heads/x",
                    "refs/heads/lane/below",
                    "refs/tags/t",
                    "refs/x",
                    "refs/stash",
                    "ORIG_HEAD",
                    "MERGE_HEAD",
                ]);
                if !view.join("refs/heads/lane").is_file() || !name.ends_with("below") {
                    write(view, name, &text(dice, made))?;
                }
            }
            5 => {
                let name = format!("refs/heads/{}", "d/".repeat(dice.below(200)) + "x");
                write(view, &name, &text(dice, made))?;
            }
            _ => {
                let name = "refs/heads/".to_owned() + &"n".repeat(1 + dice.below(250));
                write(view, &name, &text(dice, made))?;
            }
        }
    }
    Ok(())
}

fn packed(dice: &mut Dice, made: &[Made]) -> Vec<u8> {
    let mut text = String::from(if dice.once_in(4) { "" } else { "# pack-refs with: peeled fully-peeled sorted \n" });
    for _ in 0..dice.below(6) {
        let (id, name) = (id(dice, made), dice.pick(&REFS));
        text += &match dice.below(8) {
            0 => format!("^{id}\n"),
            1 => format!("{id}{name}\n"),
            2 => format!("{id} {name}\r\n"),
            3 => format!("{id} {name}{}\n", "/x".repeat(dice.below(3000))),
            4 => format!("{id} \n"),
            _ => format!("{id} {name}\n"),
        };
    }
    let mut text = text.into_bytes();
    if dice.once_in(3) {
        dice.garble(&mut text);
    }
    text
}

/// Files beside the history that git would read, and we must not believe.
pub(super) fn beside(dice: &mut Dice, view: &Path, made: &[Made], real: &Path) -> io::Result<()> {
    for _ in 0..=dice.below(2) {
        match dice.below(8) {
            0 => {
                let outside = real.join("objects");
                let names = ["/etc".to_owned(), "../..".into(), outside.display().to_string(), "\"\\x".into()];
                let mut text = names[dice.below(4)].clone().into_bytes();
                dice.garble(&mut text);
                write(view, "objects/info/alternates", &text)?;
            }
            1 => {
                let mut index = small(&view.join("index")).unwrap_or_default();
                dice.damage(&mut index);
                if dice.once_in(2) && index.len() > 20 {
                    // With its sum right again.
                    let end = index.len() - 20;
                    let sum = container::sum(&index[..end]);
                    index[end..].copy_from_slice(&sum);
                }
                write(view, "index", &index)?;
            }
            2 => {
                let mut bytes = container::pack(dice, made);
                dice.damage(&mut bytes);
                let name = dice.pick(&["pack-1.idx", "pack-1.rev", "pack-1.bitmap", "multi-pack-index", "pack-9.pack"]);
                write(view, &format!("objects/pack/{name}"), &bytes)?;
            }
            3 => write(view, "info/grafts", format!("{}\n", made[dice.below(made.len())].id).as_bytes())?,
            4 => write(view, "shallow", format!("{}\n", made[dice.below(made.len())].id).as_bytes())?,
            5 => write(view, "objects/info/commit-graph", &[7; 100])?,
            6 => {
                let target = format!("refs/replace/{}", made[dice.below(made.len())].id);
                write(view, &target, format!("{}\n", made[dice.below(made.len())].id).as_bytes())?;
            }
            _ => write(view, "config", b"[core]\n\tfsmonitor = false\n[extensions]\n\tobjectFormat = sha256\n")?,
        }
    }
    Ok(())
}

/// Puts something else where git has a file or a directory.
pub(super) fn swapped(dice: &mut Dice, view: &Path, made: &[Made]) -> io::Result<()> {
    let object = name(&made[dice.below(made.len())]);
    let dir = object[..10].to_owned();
    let names = [
        "HEAD",
        "packed-refs",
        "refs",
        "refs/heads",
        "refs/heads/lane",
        "objects",
        "objects/pack",
        "objects/pack/pack-1.pack",
        "index",
        "logs",
        "logs/HEAD",
        &object,
        &dir,
    ];
    let name = dice.pick(&names);
    clear(view, name)?;
    let path = view.join(name);
    let before = small(&path);
    let _gone = remove(&path);
    match dice.below(8) {
        0 => symlink(view.join("../../../../../../secret"), &path),
        1 => symlink(&path, &path),
        2 => symlink("../../../..", &path),
        3 => {
            let mode = libc::S_IFIFO | 0o600;
            let name = std::ffi::CString::new(path.display().to_string()).map_err(io::Error::other)?;
            // SAFETY: the name is a live string that ends in NUL.
            if unsafe { libc::mknod(name.as_ptr(), mode, 0) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
        4 => fs::create_dir(&path),
        5 => File::create(&path)?.set_len(1 << (12 + dice.below(28))),
        6 => std::os::unix::net::UnixListener::bind(view.join("s")).and_then(|_| fs::rename(view.join("s"), &path)),
        _ => {
            let other = view.join("other-name");
            fs::write(&other, before.unwrap_or_default())?;
            fs::hard_link(&other, &path)
        }
    }
}
