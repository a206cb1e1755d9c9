//! The floor: the namespaces, mounts and files of a native sandbox and nothing else. No filter, no Landlock, no supervision, no
//! output, no limits: a process is born into the namespaces, builds the root and becomes the program.
//!
//! Here the kernel is asked directly, because what comes between would be measured too.

use std::ffi::{CString, c_char, c_int, c_ulong};
use std::path::Path;
use std::ptr;
use std::time::Instant;

use super::bubblewrap::{ETC, HIDDEN, SYSTEM};
use crate::Failure;

/// One call while the root is built.
enum Step {
    Mount { source: CString, target: CString, kind: CString, flags: c_ulong, data: CString },
    Directory(CString),
    File(CString, Vec<u8>),
    Link(CString, CString),
}

/// Everything that the process needs, made before it is born.
pub(super) struct Floor {
    maps: [(CString, Vec<u8>); 3],
    steps: Vec<Step>,
    root: CString,
    program: CString,
}

/// Where the new root is put until it is the root.
const ROOT: &str = "/tmp";
/// Where the memory for what can be written is put: what is below is not looked up any more.
const MEMORY: &str = "/usr";

const NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWNET;

const READ: c_ulong = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
const DEVICE: c_ulong = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NOEXEC;
const PLAIN: c_ulong = libc::MS_NOSUID | libc::MS_NODEV;

impl Floor {
    pub(super) fn new(program: &str) -> Result<Self, Failure> {
        let mut steps = Steps(vec![mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")?]);
        steps.0.push(mount("tmpfs", ROOT, "tmpfs", PLAIN, "size=16m,mode=755")?);
        for path in SYSTEM.map(Path::new) {
            match (std::fs::read_link(path), path.is_dir()) {
                (Ok(target), _) => steps.0.push(Step::Link(text(&target.to_string_lossy())?, below(path)?)),
                (Err(_), true) => steps.bind(path, READ)?,
                (Err(_), false) => {}
            }
        }
        steps.directories(&["/etc", "/etc/pki", "/etc/pki/tls", "/etc/pki/ca-trust", "/etc/ssl"])?;
        for name in ["passwd", "group", "hostname", "hosts"] {
            steps.0.push(Step::File(
                below(&Path::new("/etc").join(name))?,
                b"root:x:0:0:root:/root:/sbin/nologin\n".into(),
            ));
        }
        for name in ETC.iter().chain(&["services", "protocols"]) {
            if let Ok(source) = Path::new("/etc").join(name).canonicalize() {
                steps.bind_at(&source, &Path::new("/etc").join(name), READ)?;
            }
        }
        steps.directories(&[
            "/dev",
            "/dev/pts",
            "/dev/shm",
            "/proc",
            "/tmp",
            "/var",
            "/var/tmp",
            "/home",
            "/home/agent",
        ])?;
        for name in ["null", "zero", "full", "random", "urandom", "tty"] {
            steps.bind(&Path::new("/dev").join(name), DEVICE)?;
        }
        for (name, target) in [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
            steps.0.push(Step::Link(text(&format!("/proc/self/{target}"))?, below(&Path::new("/dev").join(name))?));
        }
        let at = |path: &str| format!("{ROOT}{path}");
        let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
        steps.0.push(mount("devpts", &at("/dev/pts"), "devpts", flags, "newinstance,ptmxmode=0666,mode=0620")?);
        let flags = libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NODEV | libc::MS_RDONLY;
        steps.0.push(mount("proc", &at("/proc"), "proc", flags, "hidepid=ptraceable")?);
        for name in HIDDEN.map(|name| format!("/{name}")).iter().filter(|name| Path::new(name).exists()) {
            steps.0.push(if Path::new(name).is_dir() {
                mount("tmpfs", &at(name), "tmpfs", flags, "size=4k,mode=555")?
            } else {
                mount("/dev/null", &at(name), "", libc::MS_BIND, "")?
            });
        }
        steps.0.push(mount("tmpfs", MEMORY, "tmpfs", PLAIN, "size=64m,mode=700")?);
        for name in ["tmp", "shm", "home"] {
            steps.0.push(Step::Directory(text(&format!("{MEMORY}/{name}"))?));
        }
        for (name, place) in [("tmp", "/tmp"), ("tmp", "/var/tmp"), ("shm", "/dev/shm"), ("home", "/home/agent")] {
            steps.0.push(mount(&format!("{MEMORY}/{name}"), &at(place), "", libc::MS_BIND, "")?);
        }
        steps.directories(&["/run", "/root", "/mnt", "/srv"])?;
        let own = |file: &str, content: String| {
            Ok::<_, Failure>((text(&format!("/proc/self/{file}"))?, content.into_bytes()))
        };
        // SAFETY: these two only say who this process is.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let maps = [
            own("setgroups", "deny".into())?,
            own("uid_map", format!("1000 {uid} 1"))?,
            own("gid_map", format!("1000 {gid} 1"))?,
        ];
        Ok(Self { maps, steps: steps.0, root: text(ROOT)?, program: text(program)? })
    }

    /// Does it once and says how long it took, in seconds.
    pub(super) fn once(&self) -> Result<f64, Failure> {
        let arguments = [self.program.as_ptr(), ptr::null()];
        let began = Instant::now();
        let none = ptr::null_mut::<c_int>();
        let flags = libc::c_long::from(NAMESPACES | libc::SIGCHLD);
        // SAFETY: without CLONE_VM and with a null stack this is a fork; what the child does neither allocates nor locks.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
        if pid == 0 {
            let failed = self.build();
            if failed == 0 {
                // SAFETY: the path is a C string, both arrays end with a null pointer.
                unsafe { libc::execve(self.program.as_ptr(), arguments.as_ptr(), arguments[1..].as_ptr()) };
            }
            // SAFETY: ends the child without running anything that was copied along.
            unsafe { libc::_exit(failed.max(1)) };
        }
        let pid = libc::pid_t::try_from(pid)?;
        let mut status = 0;
        // SAFETY: the status is a live value of the right type, and the process is our own child.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        let seconds = began.elapsed().as_secs_f64();
        match (waited == pid, status) {
            (true, 0) => Ok(seconds),
            _ => Err(format!("the floor ended with status {status:#x}: step {}", status >> 8).into()),
        }
    }

    /// Builds the root and enters it; says at which step it failed, and zero when it did not.
    fn build(&self) -> c_int {
        let maps = self.maps.iter().all(|(path, content)| write(path, libc::O_WRONLY, content));
        if !maps {
            return 250;
        }
        // SAFETY: no memory is involved.
        unsafe { libc::umask(0) };
        for (number, step) in (1..).zip(&self.steps) {
            if !step.done() {
                return number;
            }
        }
        let at = c".".as_ptr();
        // SAFETY: all paths are C strings, and the remaining arguments are plain numbers or null.
        let entered = unsafe {
            libc::mount(
                ptr::null(),
                self.root.as_ptr(),
                ptr::null(),
                libc::MS_REMOUNT | libc::MS_BIND | READ,
                ptr::null(),
            ) == 0
                && libc::chdir(self.root.as_ptr()) == 0
                && libc::syscall(libc::SYS_pivot_root, at, at) == 0
                && libc::umount2(at, libc::MNT_DETACH) == 0
                && libc::chdir(c"/".as_ptr()) == 0
                && libc::sethostname(c"sandbox".as_ptr(), 7) == 0
        };
        if entered && loopback() { 0 } else { 251 }
    }
}

impl Step {
    fn done(&self) -> bool {
        // SAFETY: all paths and options are C strings that outlive the calls.
        unsafe {
            match self {
                Self::Mount { source, target, kind, flags, data } => {
                    let (source, target) = (source.as_ptr(), target.as_ptr());
                    let bind =
                        libc::mount(source, target, or_null(kind), *flags & !attributes(*flags), or_null(data).cast());
                    let more = attributes(*flags) | libc::MS_REMOUNT | libc::MS_BIND;
                    let plain: *const c_char = ptr::null();
                    bind == 0 && (attributes(*flags) == 0 || libc::mount(plain, target, plain, more, plain.cast()) == 0)
                }
                Self::Directory(at) => libc::mkdir(at.as_ptr(), 0o755) == 0,
                Self::File(at, content) => write(at, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, content),
                Self::Link(to, at) => libc::symlink(to.as_ptr(), at.as_ptr()) == 0,
            }
        }
    }
}

/// The flags that a bind mount only takes in a second call.
fn attributes(flags: c_ulong) -> c_ulong {
    if flags & libc::MS_BIND == 0 { 0 } else { flags & (READ | DEVICE) }
}

fn or_null(text: &CString) -> *const c_char {
    if text.is_empty() { ptr::null() } else { text.as_ptr() }
}

fn write(path: &CString, flags: c_int, content: &[u8]) -> bool {
    // SAFETY: the path is a C string, and the buffer has the length that is given.
    unsafe {
        let file = libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o644);
        let written = file >= 0 && libc::write(file, content.as_ptr().cast(), content.len()) >= 0;
        libc::close(file);
        written
    }
}

fn loopback() -> bool {
    // SAFETY: all zeroes is a valid request, its name is terminated, and it outlives the call.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l'.cast_signed(), b'o'.cast_signed()]);
        request.ifr_ifru.ifru_flags = 0x41;
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        socket >= 0 && libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request) == 0
    }
}

/// The steps so far.
struct Steps(Vec<Step>);

impl Steps {
    fn directories(&mut self, paths: &[&str]) -> Result<(), Failure> {
        for path in paths {
            self.0.push(Step::Directory(below(Path::new(path))?));
        }
        Ok(())
    }

    fn bind(&mut self, path: &Path, attributes: c_ulong) -> Result<(), Failure> {
        self.bind_at(path, path, attributes)
    }

    fn bind_at(&mut self, source: &Path, at: &Path, attributes: c_ulong) -> Result<(), Failure> {
        let target = below(at)?;
        self.0.push(if source.is_dir() { Step::Directory(target) } else { Step::File(target, Vec::new()) });
        let (source, target) = (source.to_str().ok_or("a path is text")?, format!("{ROOT}{}", at.display()));
        self.0.push(mount(source, &target, "", libc::MS_BIND | libc::MS_REC | attributes, "")?);
        Ok(())
    }
}

fn mount(source: &str, target: &str, kind: &str, flags: c_ulong, data: &str) -> Result<Step, Failure> {
    let (source, target, kind) = (text(source)?, text(target)?, text(kind)?);
    Ok(Step::Mount { source, target, kind, flags, data: text(data)? })
}

fn below(path: &Path) -> Result<CString, Failure> {
    text(&format!("{ROOT}{}", path.display()))
}

fn text(text: &str) -> Result<CString, Failure> {
    Ok(CString::new(text)?)
}
