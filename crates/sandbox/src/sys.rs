//! Every `unsafe` block of this crate: the system calls that no safe wrapper offers.
//!
//! What runs between [`fork`] and [`execve`] runs in a copy of one thread of a process that may have many. So nothing
//! there may allocate, lock, or panic: all data is made before, and these functions only make system calls.

use std::ffi::{CStr, CString};
use std::io;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of, zeroed};
#[cfg(any(feature = "native", feature = "docker"))]
use std::os::fd::AsFd;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

#[cfg(feature = "native")]
use libc::c_ulong;
use libc::{c_char, c_int, c_long, c_uint, c_void};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

type Result<T> = std::result::Result<T, Errno>;

/// A child process and a descriptor that stays its own even when its number is used again.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: Pid,
    pub(crate) pidfd: OwnedFd,
}

/// Starts a copy of the calling thread, in namespaces of its own and from its first moment in `group`, if there is one, that
/// runs `child` and exits with what it returns.
///
/// `child` must neither allocate nor lock nor panic.
pub(crate) fn fork(
    namespaces: UnshareFlags,
    group: Option<BorrowedFd<'_>>,
    child: impl FnOnce(Forked) -> i32,
) -> Result<Child> {
    let mut pidfd: c_int = -1;
    let pid = match group {
        None => {
            let flags = c_long::from(libc::CLONE_PIDFD | libc::SIGCHLD) | c_long::from(namespaces.bits());
            let none = ptr::null_mut::<c_int>();
            // SAFETY: without CLONE_VM and with a null stack this is a fork: the child has its own copy of all memory. The
            // kernel writes the descriptor to `pidfd`, which outlives the call; the remaining arguments are unused with
            // these flags.
            unsafe { libc::syscall(libc::SYS_clone, flags, none, &raw mut pidfd, none, none) }
        }
        Some(group) => {
            // To join afterwards would hold up every fork of the machine for some milliseconds.
            const INTO_GROUP: u64 = 0x2_0000_0000;
            // SAFETY: all zeros is a value of this plain struct.
            let mut arguments: libc::clone_args = unsafe { zeroed() };
            arguments.flags = u64::from(libc::CLONE_PIDFD.cast_unsigned() | namespaces.bits()) | INTO_GROUP;
            arguments.pidfd = (&raw mut pidfd).expose_provenance() as u64;
            arguments.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
            arguments.cgroup = u64::from(group.as_raw_fd().cast_unsigned());
            // SAFETY: a fork as above; the structure has the size that is given, and both it and `pidfd` outlive the call.
            unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) }
        }
    };
    if pid == 0 {
        let _never_back = NeverBack;
        let code = child(Forked(()));
        // SAFETY: ends this process without running anything of the parent's that was copied along.
        unsafe { libc::_exit(code) }
    }
    check(pid)?;
    // Only now: made of a negative number, it would panic, which must not happen where a supervisor forks.
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::RANGE)?;
    // SAFETY: the kernel has just made this descriptor for us, and nothing else knows it.
    Ok(Child { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// Starts a process that runs `child` on the caller's memory, and waits until it has become a program or has ended. So
/// nothing of the caller's memory is copied, however much that is.
///
/// `child` must neither allocate nor lock nor panic. What it changes in memory, it changes for the caller too; nothing else.
pub(crate) fn launch<F: FnOnce() -> i32>(child: F) -> Result<Pid> {
    extern "C" fn enter<F: FnOnce() -> i32>(child: *mut c_void) -> c_int {
        let _never_back = NeverBack;
        // SAFETY: the pointer is to the option below, which is of this type and which its owner does not touch meanwhile.
        let child = unsafe { (*child.cast::<Option<F>>()).take() };
        let code = child.map_or(1, |child| child());
        // SAFETY: ends this process alone, without running anything of the caller's.
        unsafe { libc::_exit(code) }
    }
    let stack = Stack::new()?;
    let mut child = Some(child);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child has a stack of its own. With CLONE_VFORK the calling thread goes on only when the child has left
    // this memory, so stack and closure outlive it; and `enter` never returns.
    let pid = unsafe { libc::clone(enter::<F>, stack.top(), flags, (&raw mut child).cast()) };
    check(c_long::from(pid))?;
    Pid::from_raw(pid).ok_or(Errno::RANGE)
}

/// A stack for a process on borrowed memory, with a gap below it.
struct Stack(*mut c_void);

impl Stack {
    const SIZE: usize = 256 << 10;
    /// As large as the largest page.
    const GAP: usize = 64 << 10;

    fn new() -> Result<Self> {
        let (read_write, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory that is in use.
        let start = unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, read_write, kind | libc::MAP_STACK, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(last_error());
        }
        let stack = Self(start);
        // SAFETY: these pages are the first of the mapping just made, which nothing uses yet.
        check(c_long::from(unsafe { libc::mprotect(start, Self::GAP, libc::PROT_NONE) }))?;
        Ok(stack)
    }

    fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(Self::SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and what ran on it is over.
        unsafe { libc::munmap(self.0, Self::SIZE) };
    }
}

/// Proof that the process was made by [`fork`]: its memory is its own.
#[derive(Debug)]
pub(crate) struct Forked(());

impl Forked {
    /// Does what is left to do and ends the process with the result.
    ///
    /// The callers never go on and `rest` borrows nothing, so nothing that they refer to is used again: not even a
    /// reference to it may be held by a function that goes on when it is unmapped.
    pub(crate) fn finish(self, rest: impl FnOnce(&Lean) -> i32 + 'static) -> ! {
        let _never_back = NeverBack;
        let code = rest(&Lean(()));
        // SAFETY: ends this process without running anything of the parent's that was copied along.
        unsafe { libc::_exit(code) }
    }
}

/// Proof that a forked process only does what [`Forked::finish`] was given, with nothing but its stack and what is of files.
#[derive(Debug)]
pub(crate) struct Lean(());

/// Gives the pages of this range back, whatever is in them. Not for those of the caller's stack, nor of programs and libraries.
pub(crate) fn unmap(_: &Lean, range: std::ops::Range<usize>) {
    // SAFETY: the proof says that nothing in this process refers to heaps any more, and callers pass nothing else.
    unsafe { libc::munmap(ptr::without_provenance_mut(range.start), range.end.saturating_sub(range.start)) };
}

/// The address of what the C library keeps of the calling thread.
pub(crate) fn thread_block() -> usize {
    // SAFETY: no memory is involved.
    let thread = unsafe { libc::pthread_self() };
    usize::try_from(thread).unwrap_or(0)
}

/// Ends a forked child that panics in spite of all. Unwinding on, it would run the host's code a second time.
struct NeverBack;

impl Drop for NeverBack {
    fn drop(&mut self) {
        // SAFETY: ends this process without running anything of the parent's that was copied along.
        unsafe { libc::_exit(1) }
    }
}

/// Waits for a child to end and collects it: its status, if nobody else took it, and its CPU time with that of all
/// descendants that were waited for.
pub(crate) fn reap(pid: Pid) -> (Option<i32>, Option<Duration>) {
    let mut status: c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes for the whole call.
        let got = unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, usage.as_mut_ptr()) };
        if got > 0 {
            // SAFETY: the kernel filled it; and all zeros is a value of it too.
            let usage = unsafe { usage.assume_init() };
            return (Some(status), Some(time(usage.ru_utime) + time(usage.ru_stime)));
        }
        if last_error() != Errno::INTR {
            return (None, None);
        }
    }
}

fn time(t: libc::timeval) -> Duration {
    let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(t.tv_usec).unwrap_or(0))
}

/// A null-terminated array of strings, as `execve` wants it.
#[derive(Debug)]
pub(crate) struct Strings<'a>(Vec<*const c_char>, PhantomData<&'a CString>);

impl<'a> Strings<'a> {
    /// The array that points to `strings`.
    pub(crate) fn new(strings: &'a [CString]) -> Self {
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Self(pointers, PhantomData)
    }
}

/// Becomes another program; returns only when that failed.
pub(crate) fn execve(program: &CStr, argv: &Strings<'_>, env: &Strings<'_>) -> Errno {
    // SAFETY: the path is a C string; both arrays end with a null pointer, and the strings they point to are borrowed.
    unsafe { libc::execve(program.as_ptr(), argv.0.as_ptr(), env.0.as_ptr()) };
    last_error()
}

/// Holds back every signal for the calling thread, and so for what it forks.
pub(crate) fn block_signals() {
    // SAFETY: the set is filled before it is used, and both pointers are valid or null.
    unsafe {
        let mut all: libc::sigset_t = zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
    }
}

/// Gives every signal its default effect and lets all of them through.
pub(crate) fn restore_signals() {
    // The kernel's own structure, all of it zero: the default handler, no flags, an empty mask. The C library's function
    // would take a lock for SIGABRT, which another thread may have held when this process was forked.
    let default = [0_u64; 4];
    let mask_size = size_of::<u64>();
    for signal in 1..=64 {
        let none = ptr::null_mut::<u64>();
        // SAFETY: no handler is installed; numbers that cannot be changed are refused and stay as they are. The structure
        // is at least as large as the kernel's and outlives the call.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, mask_size) };
    }
    // SAFETY: the set is emptied before it is used, and both pointers are valid or null.
    unsafe {
        let mut none: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// A descriptor that delivers all signals that are held back; reading it never waits.
pub(crate) fn signals() -> Result<OwnedFd> {
    // SAFETY: the set is filled before it is used.
    let fd = unsafe {
        let mut all: libc::sigset_t = zeroed();
        libc::sigfillset(&raw mut all);
        libc::signalfd(-1, &raw const all, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    owned(c_long::from(fd))
}

/// The number of the next signal that `signals` has, if there is one.
pub(crate) fn next_signal(signals: &OwnedFd) -> Option<i32> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the buffer has exactly the size that is given, and outlives the call.
    let got = unsafe { libc::read(signals.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    // SAFETY: the kernel filled it; and all zeros is a value of it too.
    (usize::try_from(got) == Ok(size)).then(|| unsafe { info.assume_init() }.ssi_signo.cast_signed())
}

/// Signals every process that the caller can see but itself, where it is process 1 of a namespace that was made with it; nobody
/// elsewhere.
#[cfg(feature = "native")]
pub(crate) fn signal_everybody(_: &Lean, signal: i32) {
    if rustix::process::getpid().is_init() {
        // SAFETY: no memory is involved. A forked process that is process 1 is that of a new namespace: where the host is one
        // itself, what it forks has another number.
        unsafe { libc::kill(-1, signal) };
    }
}

/// The descriptor with this number, which the caller knows to be open until the process ends.
pub(crate) fn fixed(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: callers use only the numbers that `place` filled, in the process in which it did.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Closes a descriptor that `place` put there.
pub(crate) fn close(fd: RawFd) {
    // SAFETY: as for `fixed`; nothing in this process owns these numbers.
    unsafe { libc::close(fd) };
}

/// Moves these descriptors to the numbers from 0 on and closes all others, which only a process may do that has its own.
pub(crate) fn place<const N: usize>(_: &Forked, fds: [RawFd; N], count: usize) -> Result<()> {
    const ABOVE: c_int = 64;
    let mut lifted = [-1; N];
    for (fd, up) in fds.iter().zip(&mut lifted).take(count) {
        // SAFETY: no memory is involved; the copy keeps clear of the numbers that are filled below.
        *up = unsafe { libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, ABOVE) };
        check(c_long::from(*up))?;
    }
    for (number, up) in (0..).zip(&lifted).take(count) {
        // SAFETY: no memory is involved; after a fork this process may replace any descriptor.
        check(c_long::from(unsafe { libc::dup2(*up, number) }))?;
    }
    close_from(c_uint::try_from(count).unwrap_or(0), 0)
}

/// Lets no descriptor but standard input, output and error through an `execve`.
pub(crate) fn seal_descriptors() -> Result<()> {
    close_from(3, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_from(first: c_uint, flags: c_uint) -> Result<()> {
    // SAFETY: no memory is involved; after a fork this process may close any descriptor.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, flags) })
}

/// Ends the caller's use of shared namespaces, or of a shared working directory: it and what it starts get their own.
#[cfg(any(feature = "native", feature = "docker"))]
pub(crate) fn unshare(flags: UnshareFlags) -> Result<()> {
    // SAFETY: no flag that shares or splits memory or descriptors is used, only namespaces and the working directory.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Adds attributes to a mount; with `AT_RECURSIVE` to all mounts below it too.
#[cfg(feature = "native")]
pub(crate) fn restrict_mount(mount: impl AsFd, attributes: u64, extent: c_int) -> Result<()> {
    change_mount(mount, [attributes, 0, 0], extent)
}

/// Changes a mount; with `AT_RECURSIVE` all mounts below it too: the attributes that are added, those that are taken away, and
/// how it shares what is mounted below it from now on (zero leaves that).
#[cfg(any(feature = "native", feature = "docker"))]
pub(crate) fn change_mount(mount: impl AsFd, [set, clear, propagation]: [u64; 3], extent: c_int) -> Result<()> {
    #[repr(C)]
    struct MountAttr([u64; 4]);
    let attr = MountAttr([set, clear, propagation, 0]);
    let flags = libc::AT_EMPTY_PATH | extent;
    let (fd, size) = (mount.as_fd().as_raw_fd(), size_of::<MountAttr>());
    // SAFETY: the path is a C string, and `attr` has the layout and the size that the kernel defines for this call.
    check(unsafe { libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, &raw const attr, size) })
}

/// The version of Landlock that this kernel has switched on.
#[cfg(feature = "native")]
pub(crate) fn landlock_version() -> Result<u32> {
    const ASK: c_uint = 1;
    // SAFETY: with this flag no memory is involved.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, ASK) };
    check(version)?;
    u32::try_from(version).map_err(|_| Errno::RANGE)
}

/// Adds a rule to a Landlock ruleset: these rights for all that is at or below `place`.
#[cfg(feature = "native")]
pub(crate) fn landlock_allow(ruleset: BorrowedFd<'_>, place: BorrowedFd<'_>, rights: u64) -> Result<()> {
    #[repr(C, packed)]
    struct PathBeneath {
        rights: u64,
        place: c_int,
    }
    const PATH_BENEATH: c_int = 1;
    let rule = PathBeneath { rights, place: place.as_raw_fd() };
    let (fd, call) = (ruleset.as_raw_fd(), libc::SYS_landlock_add_rule);
    // SAFETY: the rule has the layout that the kernel defines for this type, and outlives the call.
    check(unsafe { libc::syscall(call, fd, PATH_BENEATH, &raw const rule, 0 as c_uint) })
}

/// Makes a Landlock ruleset hold for the calling process and all that it starts, for good.
#[cfg(feature = "native")]
pub(crate) fn landlock_enter(ruleset: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0 as c_uint) })
}

/// Removes every capability from the set that programs can regain.
#[cfg(feature = "native")]
pub(crate) fn drop_bounding_set() {
    for capability in 0..64 as c_ulong {
        // SAFETY: no memory is involved; the first number that this kernel does not know is refused, and so are all above.
        let done = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) };
        if done < 0 && last_error() == Errno::INVAL {
            return;
        }
    }
}

/// Switches the loopback interface of the caller's network namespace on.
#[cfg(feature = "native")]
pub(crate) fn loopback_up() -> Result<()> {
    // SAFETY: no memory is involved.
    let socket = owned(c_long::from(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }))?;
    // SAFETY: all zeros is a value of this plain struct.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = i16::try_from(flags).unwrap_or(0);
    // SAFETY: the request is a valid `ifreq` with a terminated name, and outlives the call.
    check(c_long::from(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }))
}

fn owned(fd: c_long) -> Result<OwnedFd> {
    check(fd)?;
    // SAFETY: the kernel has just made this descriptor for us, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(|_| Errno::BADF)?) })
}

fn check(result: c_long) -> Result<()> {
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
#[path = "sys_tests.rs"]
mod tests;
