//! What a hostile program tries, as a program: this binary again, told by its environment what to do.
//!
//! Every probe says whether the kernel let it. The same probe runs in the host lane, where it must be let: a probe that
//! is refused everywhere proves nothing.

use std::ffi::CString;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use hedgerow_sandbox::{Access, Command, End, HostSandbox, Mount, NativeSandbox, Policy, Spec};

use crate::world::{Seen, open, run, spec, text};

const ROLE: &str = "HEDGEROW_TEST_PROBE";
const PATH_INSIDE: &str = "/probe";

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allowed,
    Refused(i32),
    Killed(i32),
}

/// Runs a probe in the host lane.
pub(crate) async fn on_host(probe: &str) -> Outcome {
    let command = Command::new(std::env::current_exe().unwrap(), "/");
    outcome(run(&HostSandbox::new().unwrap(), open(), told(command, probe)).await)
}

/// Runs a probe in the native lane.
pub(crate) async fn inside(lane: &NativeSandbox, probe: &str) -> Outcome {
    outcome(seen_inside(lane, spec(Policy::standard()), probe).await)
}

/// The same with a specification, and with all that it printed.
pub(crate) async fn seen_inside(lane: &NativeSandbox, mut spec: Spec, probe: &str) -> Seen {
    let (source, target) = (std::env::current_exe().unwrap(), PATH_INSIDE.into());
    spec.mounts.push(Mount { source, target, access: Access::ReadOnly });
    run(lane, spec, told(Command::new(PATH_INSIDE, "/"), probe)).await
}

pub(crate) fn told(command: Command, probe: &str) -> Command {
    let command = command.args(["--exact", "probe::role_probe", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, probe).deadline(Duration::from_secs(60))
}

pub(crate) fn outcome(seen: Seen) -> Outcome {
    let said = String::from_utf8_lossy(&seen.stderr).into_owned();
    let words = said.lines().find_map(|line| line.strip_prefix("PROBE ").map(str::to_owned));
    match (words.as_deref(), &seen.exit.end) {
        (Some("allowed"), _) => Outcome::Allowed,
        (Some(refused), _) => Outcome::Refused(refused.parse().expect("an error number")),
        (None, End::Signaled { signal }) => Outcome::Killed(*signal),
        (None, _) => panic!("the probe said nothing: {}", seen.text()),
    }
}

#[test]
fn role_probe() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (name, argument) = role.split_once(' ').unwrap_or((&role, ""));
    let verdict = match attempt(name, argument) {
        Ok(()) => "allowed".to_owned(),
        Err(error) => error.raw_os_error().unwrap_or(-1).to_string(),
    };
    writeln!(std::io::stderr(), "PROBE {verdict}").unwrap();
}

type Try = std::io::Result<()>;

fn attempt(name: &str, argument: &str) -> Try {
    let path = CString::new(argument).unwrap();
    let path = path.as_ptr() as i64;
    let number = || argument.parse::<i64>().unwrap();
    const USER: i64 = libc::CLONE_NEWUSER as i64;
    match name {
        "tcp" => TcpStream::connect(argument).map(drop),
        "udp" => UdpSocket::bind("0.0.0.0:0")?.send_to(b"hello", argument).map(drop),
        "unix" => UnixStream::connect(argument).map(drop),
        "abstract" => {
            let address = <SocketAddr as SocketAddrExt>::from_abstract_name(argument)?;
            UnixStream::connect_addr(&address).map(drop)
        }
        "socket" => {
            let (family, kind) = argument.split_once(' ').unwrap();
            call(libc::SYS_socket, [family.parse().unwrap(), kind.parse().unwrap(), 0, 0, 0])
        }
        "unshare" => alone(|| call(libc::SYS_unshare, [USER, 0, 0, 0, 0])),
        "clone" => fork_call(libc::SYS_clone, [USER | i64::from(libc::SIGCHLD), 0]),
        "clone3" => {
            let arguments = [USER as u64, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
            fork_call(libc::SYS_clone3, [arguments.as_ptr() as i64, 64])
        }
        "mount" => {
            let (kind, at) = (c"tmpfs".as_ptr() as i64, c"/mnt".as_ptr() as i64);
            call(libc::SYS_mount, [kind, at, kind, 0, 0])
        }
        "chroot" => call(libc::SYS_chroot, [c"/".as_ptr() as i64, 0, 0, 0, 0]),
        // KEYCTL_GET_KEYRING_ID of the session's keyring.
        "keyctl" => call(libc::SYS_keyctl, [0, -3, 1, 0, 0]),
        "add-key" => {
            let (kind, name) = (c"user".as_ptr() as i64, c"hedgerow-test".as_ptr() as i64);
            // Into the process keyring, which ends with the process.
            call(libc::SYS_add_key, [kind, name, name, 4, -2])
        }
        "io-uring" => {
            let parameters = [0_u8; 256];
            call(libc::SYS_io_uring_setup, [1, parameters.as_ptr() as i64, 0, 0, 0])
        }
        "userfaultfd" => call(libc::SYS_userfaultfd, [1, 0, 0, 0, 0]),
        "bpf" => {
            // BPF_MAP_CREATE of an array with one entry.
            let attributes = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            call(libc::SYS_bpf, [0, attributes.as_ptr() as i64, 72, 0, 0])
        }
        "syslog" => call(libc::SYS_syslog, [10, 0, 0, 0, 0]),
        "chmod-setuid" => call(libc::SYS_fchmodat, [libc::AT_FDCWD.into(), path, 0o4755, 0, 0]),
        "fchmodat2-setgid" => call(452, [libc::AT_FDCWD.into(), path, 0o2755, 0, 0]),
        "open-setuid" => {
            let flags = i64::from(libc::O_CREAT | libc::O_WRONLY | libc::O_EXCL);
            call(libc::SYS_openat, [libc::AT_FDCWD.into(), path, flags, 0o4755, 0])
        }
        "mknod-setuid" => call(libc::SYS_mknodat, [libc::AT_FDCWD.into(), path, 0o104755, 0, 0]),
        // Two numbers of one request: the kernel looks at 32 bits only.
        "tiocsti" => call(libc::SYS_ioctl, [0, libc::TIOCSTI as i64, c"x".as_ptr() as i64, 0, 0]),
        "tiocsti-high" => call(libc::SYS_ioctl, [0, libc::TIOCSTI as i64 | 1 << 40, c"x".as_ptr() as i64, 0, 0]),
        // Asking for the process id by the second set of numbers.
        "x32" => call(libc::SYS_getpid | 0x4000_0000, [0; 5]),
        "ia32" => legacy_call(),
        "ptrace" => call(libc::SYS_ptrace, [libc::PTRACE_SEIZE.into(), number(), 0, 0, 0]),
        "read-memory" => {
            let mut byte = 0_u8;
            let to = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
            let (to, from) = ((&raw const to) as i64, (&raw const to) as i64);
            call(libc::SYS_process_vm_readv, [number(), to, 1, from, 1])
        }
        "kill" => call(libc::SYS_kill, [number(), 0, 0, 0, 0]),
        "shm" => call(libc::SYS_shmget, [number(), 1, 0, 0, 0]),
        "chmod-null" => call(libc::SYS_fchmodat, [libc::AT_FDCWD.into(), c"/dev/null".as_ptr() as i64, 0o666, 0, 0]),
        "write" => std::fs::OpenOptions::new().write(true).open(argument).map(drop),
        "flood" => flood(number()),
        "forks" => forks(number()),
        "hog" => hog(number()),
        other => panic!("there is no probe {other:?}"),
    }
}

fn call(number: i64, [a, b, c, d, e]: [i64; 5]) -> Try {
    // SAFETY: every pointer that the probes pass points to data of theirs that is as large as the call expects.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, 0_i64) };
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// The same for a call that returns in a child too, which ends there.
fn fork_call(number: i64, [a, b]: [i64; 2]) -> Try {
    // SAFETY: as in `call`; without a stack and without shared memory this is a fork.
    let result = unsafe { libc::syscall(number, a, b, 0, 0, 0) };
    if result == 0 {
        // SAFETY: no memory is involved.
        unsafe { libc::_exit(0) };
    }
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Tries something in a process that has one thread only, as some calls want it.
fn alone(attempt: impl FnOnce() -> Try) -> Try {
    // SAFETY: the child makes one system call and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = attempt().map_or_else(|e| e.raw_os_error().unwrap_or(255), |()| 0);
        // SAFETY: no memory is involved.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: the status outlives the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    match libc::WEXITSTATUS(status) {
        0 => Ok(()),
        errno => Err(std::io::Error::from_raw_os_error(errno)),
    }
}

#[cfg(target_arch = "x86_64")]
fn legacy_call() -> Try {
    let result: i64;
    // SAFETY: call 20 of the 32-bit table asks for the process id and touches no memory; the registers that the kernel
    // may change are named.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") 20_i64 => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    if result < 0 { Err(std::io::Error::from_raw_os_error(i32::try_from(-result).unwrap())) } else { Ok(()) }
}

#[cfg(not(target_arch = "x86_64"))]
fn legacy_call() -> Try {
    Err(std::io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Starts so many processes that stay; says how many it got.
fn forks(wanted: i64) -> Try {
    let mut count = 0;
    let mut failure = Ok(());
    for _ in 0..wanted {
        match std::process::Command::new("/bin/sleep").arg("60").spawn() {
            Ok(_) => count += 1,
            Err(error) => failure = Err(error),
        }
    }
    writeln!(std::io::stdout(), "STARTED {count}")?;
    failure
}

/// Keeps whoever looks after this process busy for ever: with signals that queue, and with orphans that end at once.
fn flood(workers: i64) -> Try {
    // SAFETY: every child of these only makes system calls, and none returns.
    unsafe {
        let supervisor = libc::getppid();
        for _ in 0..workers {
            if libc::fork() == 0 {
                loop {
                    for _ in 0..64 {
                        libc::kill(supervisor, libc::SIGRTMIN());
                    }
                    if libc::fork() == 0 {
                        libc::fork();
                        libc::_exit(0);
                    }
                    libc::waitpid(-1, std::ptr::null_mut(), 0);
                }
            }
        }
    }
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}

/// Takes so many mebibytes of memory and uses them.
fn hog(mebibytes: i64) -> Try {
    let mut held = Vec::new();
    for n in 0..mebibytes {
        held.push(vec![u8::try_from(n % 250 + 1).unwrap(); 1 << 20]);
    }
    std::thread::sleep(Duration::from_millis(500));
    let sum: u64 = held.iter().map(|block| u64::from(block[block.len() / 2])).sum();
    writeln!(std::io::stdout(), "HELD {} {sum}", held.len())
}

/// The path of the probe, for scripts.
pub(crate) fn path() -> String {
    text(&std::env::current_exe().unwrap()).to_owned()
}

/// A shared memory segment of the host's, gone with the test.
pub(crate) struct Segment {
    key: i32,
    id: i32,
}

impl Segment {
    pub(crate) fn new() -> Self {
        let key = 0x4845_4447 ^ i32::try_from(std::process::id()).unwrap();
        // SAFETY: no memory is involved.
        let id = unsafe { libc::shmget(key, 4096, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
        assert!(id >= 0, "{}", std::io::Error::last_os_error());
        Self { key, id }
    }

    pub(crate) fn key(&self) -> i32 {
        self.key
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: no memory is involved; the segment is ours.
        unsafe { libc::shmctl(self.id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
