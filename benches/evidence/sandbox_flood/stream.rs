//! Output of which every byte is known from its place.

use clap::ValueEnum;

/// What a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Text in lines of eighty characters.
    Text,
    /// Very short lines, each a number.
    Lines,
    /// One line without an end.
    Line,
    /// Every byte there is, in no order.
    Binary,
}

/// A block has its number, and then what all blocks of its kind have.
const BLOCK: usize = 64 << 10;
const NUMBER: usize = 16;

/// The first line of `Lines`, and how long each is.
const FIRST: u64 = 1_000_000_000;
const LINE: u64 = 11;

/// Writes blocks: how many bytes in all, and of which kind.
const WRITER: &str = r#"
my ($n, $kind) = @ARGV;
my ($b, $x, $fill) = (65536, 1, "");
if ($kind eq "binary") {
    for (1 .. $b - 16) { $x = ($x * 1103515245 + 12345) & 0x7fffffff; $fill .= chr(($x >> 16) & 255) }
} elsif ($kind eq "text") {
    for my $i (0 .. $b - 17) { $fill .= $i % 80 == 79 ? "\n" : chr(33 + $i % 80) }
} else { $fill = "x" x ($b - 16) }
binmode STDOUT;
for (my $i = 0; $n > 0; $i++) {
    my ($block, $at) = (sprintf("%016x", $i) . $fill, 0);
    my $end = $n < $b ? $n : $b;
    while ($at < $end) { my $w = syswrite(STDOUT, $block, $end - $at, $at); exit 9 unless defined $w; $at += $w }
    $n -= $end;
}
"#;

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Text, Self::Lines, Self::Line, Self::Binary];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Lines => "lines",
            Self::Line => "line",
            Self::Binary => "binary",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Lines => "short lines",
            Self::Line => "one endless line",
            Self::Binary => "binary",
        }
    }

    /// The program that writes so many bytes, rounded to what it writes.
    pub(super) fn command(self, bytes: u64) -> Vec<String> {
        match self {
            Self::Lines => vec!["seq".into(), FIRST.to_string(), (FIRST + bytes / LINE - 1).to_string()],
            _ => vec!["perl".into(), "-e".into(), WRITER.into(), bytes.to_string(), self.name().into()],
        }
    }

    /// How many bytes that are.
    pub(super) fn total(self, bytes: u64) -> u64 {
        if self == Self::Lines { bytes / LINE * LINE } else { bytes }
    }
}

/// Knows the bytes.
#[derive(Debug)]
pub(super) struct Known {
    kind: Kind,
    fill: Vec<u8>,
}

impl Known {
    pub(super) fn new(kind: Kind) -> Self {
        let mut x: u32 = 1;
        let fill = (0..BLOCK - NUMBER).map(|i| match kind {
            Kind::Binary => {
                x = x.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
                (x >> 16).to_le_bytes()[0]
            }
            Kind::Text if i % 80 == 79 => b'\n',
            Kind::Text => u8::try_from(33 + i % 80).unwrap_or(b'?'),
            Kind::Line | Kind::Lines => b'x',
        });
        Self { kind, fill: fill.collect() }
    }

    /// The bytes from this place on, up to the end of their block or line.
    fn at(&self, place: u64) -> Vec<u8> {
        if self.kind == Kind::Lines {
            let line = format!("{}\n", FIRST + place / LINE).into_bytes();
            return line[usize::try_from(place % LINE).unwrap_or(0)..].to_vec();
        }
        let within = usize::try_from(place % BLOCK as u64).unwrap_or(0);
        let mut block = format!("{:016x}", place / BLOCK as u64).into_bytes();
        block.extend_from_slice(&self.fill);
        block.split_off(within)
    }

    /// Whether these are the bytes at this place.
    pub(super) fn is(&self, mut place: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let known = self.at(place);
            let length = known.len().min(bytes.len());
            if known[..length] != bytes[..length] {
                return false;
            }
            place += length as u64;
            bytes = &bytes[length..];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_known_and_nothing_else_is() {
        for kind in Kind::ALL {
            let command = kind.command(200_000);
            let output = std::process::Command::new(&command[0]).args(&command[1..]).output().unwrap();
            let (known, written) = (Known::new(kind), output.stdout);
            assert_eq!(written.len() as u64, kind.total(200_000), "{kind:?}");
            assert!(known.is(0, &written) && known.is(70_001, &written[70_001..150_000]), "{kind:?}");
            assert!(!known.is(1, &written) && !known.is(BLOCK as u64, &written[..40]), "{kind:?}");
        }
    }
}
