//! Giving back what a forked process has of the host's memory and will not use. Nothing here may allocate, lock or panic.
//!
//! A fork copies no page until one side changes it. A host that lives on changes all of its own in time, and the old ones
//! then belong to the supervisors alone: each would cost as much as the host.

use std::ops::Range;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::fs::{Mode, OFlags};

use crate::sys::{self, Lean};

/// How long a program runs before its supervisor takes the time for this.
const QUIET: Duration = Duration::from_millis(100);

/// How long a supervisor still has what it was forked with. However much happens meanwhile: else a program that is never
/// quiet could keep that for as long as it runs.
#[derive(Debug)]
pub(crate) struct Keepsake<'a> {
    since: Instant,
    /// Nothing where it is given back already.
    lean: Option<&'a Lean>,
}

impl<'a> Keepsake<'a> {
    /// From now on.
    pub(crate) fn new(lean: &'a Lean) -> Self {
        Self { since: Instant::now(), lean: Some(lean) }
    }

    /// To be asked before every wait: gives the memory back when it is time, and says how long the wait may be till then.
    pub(crate) fn wait(&mut self) -> Option<Timespec> {
        let lean = self.lean?;
        let left = QUIET.saturating_sub(self.since.elapsed());
        if left.is_zero() {
            self.lean = None;
            give_back_memory(lean);
            return None;
        }
        Some(Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() })
    }
}

/// What stays of the caller's stack below where it is now.
const DEPTH: usize = 128 << 10;
/// What the C library keeps of a thread, from its address on.
const BLOCK: usize = 64 << 10;
/// A multiple of every size of pages.
const PAGE: usize = 64 << 10;

/// Gives back heaps, and stacks of other threads. The program's code and data stay, and the caller's own stack.
///
/// What cannot be found out is kept.
fn give_back_memory(lean: &Lean) {
    let maps = rustix::fs::open(c"/proc/self/maps", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let Ok(maps) = maps else { return };
    let mut buffer = [0; 4096];
    let own = Own { stack: (&raw const buffer).addr(), block: sys::thread_block() };
    let (mut line, mut programs) = (Line::default(), Programs::default());
    loop {
        // The kernel finds its place again by the address, so what is unmapped meanwhile confuses nothing.
        let Ok(length @ 1..) = rustix::io::read(&maps, &mut buffer) else { return };
        for byte in buffer.iter().take(length) {
            if !line.take(*byte) {
                continue;
            }
            if !programs.have(&line) && line.is_heap() {
                own.spare(&line.range)
                    .into_iter()
                    .filter(|range| !range.is_empty())
                    .for_each(|range| sys::unmap(lean, range));
            }
            line = Line::default();
        }
    }
}

/// Tells the variables of programs and libraries, which are memory of no file too, from heaps.
#[derive(Clone, Copy, Debug, Default)]
struct Programs {
    /// The file whose code was seen last.
    file: u64,
    /// Where its data of its own end.
    ends: usize,
}

impl Programs {
    /// Whether this mapping, the next one, has such variables: it is the one that follows the data of a file with code
    /// without a gap. Behind other files, and behind those variables, the kernel may well put heaps.
    fn have(&mut self, line: &Line) -> bool {
        if line.inode == 0 {
            return line.range.start == std::mem::take(&mut self.ends);
        }
        if line.executable {
            self.file = line.inode;
        }
        self.ends = if line.private && line.inode == self.file { line.range.end } else { 0 };
        false
    }
}

/// What the caller goes on to use.
#[derive(Clone, Copy, Debug)]
struct Own {
    stack: usize,
    block: usize,
}

impl Own {
    /// The parts of a mapping that are neither near the stack's end nor hold what the C library keeps of the thread.
    fn spare(self, range: &Range<usize>) -> [Range<usize>; 2] {
        let (stack, block) = (range.contains(&self.stack), range.contains(&self.block));
        let down = |address: usize| address / PAGE * PAGE;
        match (stack, block) {
            (false, false) => [range.clone(), 0..0],
            // The stack grows down, away from the block.
            (true, true) if self.stack < self.block => {
                let below = down(self.stack.saturating_sub(DEPTH)).max(range.start);
                let above = down(self.block.saturating_add(BLOCK + PAGE)).min(range.end);
                [range.start..below, above..range.end]
            }
            (true, _) => [range.start..down(self.stack.saturating_sub(DEPTH)).max(range.start), 0..0],
            (false, true) => [0..0, 0..0],
        }
    }
}

/// What is needed of a line of `/proc/self/maps`, taken byte by byte: names can be of any length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Line {
    range: Range<usize>,
    inode: u64,
    /// How many fields are behind.
    fields: u32,
    in_field: bool,
    writable: bool,
    executable: bool,
    private: bool,
    /// The beginning of the name.
    name: [u8; 6],
    named: usize,
}

impl Line {
    /// Whether that was the end of the line.
    fn take(&mut self, byte: u8) -> bool {
        // The name is the last field, and may contain anything but the end of the line.
        if byte == b' ' && self.fields < 5 {
            self.fields += u32::from(self.in_field);
            self.in_field = false;
            return false;
        }
        if byte == b'\n' {
            return true;
        }
        self.in_field = true;
        let digit = |base| char::from(byte).to_digit(base).unwrap_or(0);
        match self.fields {
            0 if byte == b'-' => self.range.start = std::mem::take(&mut self.range.end),
            0 => self.range.end = self.range.end.wrapping_mul(16).wrapping_add(digit(16) as usize),
            1 => {
                self.writable |= byte == b'w';
                self.executable |= byte == b'x';
                self.private |= byte == b'p';
            }
            4 => self.inode = self.inode.wrapping_mul(10).wrapping_add(digit(10).into()),
            5 if byte != b' ' || self.named > 0 => {
                if let Some(slot) = self.name.get_mut(self.named) {
                    *slot = byte;
                    self.named += 1;
                }
            }
            _ => {}
        }
        false
    }

    /// Whether it is memory that programs ask for: of no file, and none that the kernel or the loader puts there.
    fn is_heap(&self) -> bool {
        let name = self.name.get(..self.named).unwrap_or_default();
        let plain = name.is_empty() || name == b"[heap]" || name == b"[anon:";
        plain && self.inode == 0 && self.writable && self.private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let mut line = Line::default();
        let ends: Vec<bool> = text.bytes().map(|byte| line.take(byte)).collect();
        assert_eq!(ends.iter().position(|end| *end), Some(text.len() - 1), "{text}");
        line
    }

    #[test]
    fn only_memory_that_programs_ask_for_is_given_back() {
        for (text, heap) in [
            ("55d0a000-55d0c000 rw-p 00000000 00:00 0                          [heap]\n", true),
            ("7f00a000-7f00c000 rw-p 00000000 00:00 0 \n", true),
            ("7f00a000-7f00c000 rw-p 00000000 00:00 0    [anon: glibc: malloc]\n", true),
            ("7f00a000-7f00c000 rw-p 00000000 fe:01 1234    /usr/lib/a b \n", false),
            ("7f00a000-7f00c000 rw-s 00000000 00:01 9      /dev/zero (deleted)\n", false),
            ("7f00a000-7f00c000 ---p 00000000 00:00 0 \n", false),
            ("7ffc0000-7ffe0000 rw-p 00000000 00:00 0      [stack]\n", false),
            ("7ffe1000-7ffe3000 r-xp 00000000 00:00 0      [vdso]\n", false),
        ] {
            assert_eq!(line(text).is_heap(), heap, "{text}");
        }
        let file = line("7f00a000-7f00c000 rw-p 00000000 fe:01 1234    /usr/lib/a b \n");
        assert_eq!((file.range, file.inode), (0x7f00_a000..0x7f00_c000, 1234));
    }

    #[test]
    fn a_file_that_the_host_maps_beside_its_work_does_not_keep_that_and_variables_of_libraries_stay() {
        let maps = "\
            5000-6000 r--p 00000000 fe:01 7 /usr/bin/host\n\
            6000-7000 r-xp 00001000 fe:01 7 /usr/bin/host\n\
            7000-8000 rw-p 00002000 fe:01 7 /usr/bin/host\n\
            8000-9000 rw-p 00000000 00:00 0\n\
            9000-a000 rw-p 00000000 00:00 0 [heap]\n\
            20000-21000 r--p 00000000 fe:01 50 /srv/pack\n\
            21000-29000 rw-p 00000000 00:00 0\n\
            30000-31000 rw-p 00000000 fe:01 51 /srv/copy\n\
            31000-39000 rw-p 00000000 00:00 0\n\
            39000-3a000 rw-s 00000000 fe:01 52 /srv/shared\n\
            3a000-3b000 rw-p 00000000 00:00 0\n\
            40000-41000 r-xp 00000000 fe:01 9 /usr/lib/a b.so\n\
            41000-42000 r--p 00001000 fe:01 9 /usr/lib/a b.so\n\
            42000-43000 rw-p 00000000 00:00 0\n\
            44000-45000 rw-p 00000000 00:00 0\n";
        let mut programs = Programs::default();
        let lines: Vec<_> = maps.split_inclusive('\n').map(line).collect();
        let given = lines.iter().filter(|line| !programs.have(line) && line.is_heap()).map(|line| line.range.start);
        assert_eq!(given.collect::<Vec<_>>(), [0x9000, 0x2_1000, 0x3_1000, 0x3_a000, 0x4_4000]);
    }

    #[test]
    fn a_stack_that_the_kernel_merged_with_a_heap_keeps_its_part() {
        let own = Own { stack: 0x50_1234, block: 0x60_2000 };
        assert_eq!(own.spare(&(0x70_0000..0x80_0000)), [0x70_0000..0x80_0000, 0..0]);
        assert_eq!(own.spare(&(0x10_0000..0x90_0000)), [0x10_0000..0x4e_0000, 0x62_0000..0x90_0000]);
        let [below, above] = own.spare(&(0x50_0000..0x60_3000));
        assert!(below.is_empty() && above.is_empty());
        assert_eq!(own.spare(&(0x10_0000..0x58_0000)), [0x10_0000..0x4e_0000, 0..0], "its block is elsewhere");
        assert_eq!(own.spare(&(0x60_0000..0x68_0000)), [0..0, 0..0], "only its block is there");
    }
}
