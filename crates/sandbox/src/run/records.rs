//! What a supervisor says of the end of a command: records of eight bytes, a word and a value, each written at once.
//!
//! An end is only believed with its record. One that is cut off is as good as none, and after one that makes no sense
//! nothing is believed at all.

/// The first word of the record of how the program ended; its value is the status.
const ENDED: u32 = 0x656e_6465;
/// The first word of the record of how many processes were left then, and killed.
const KILLED: u32 = 0x6b69_6c6c;
/// The first word of the record that everything is gone.
const DONE: u32 = 0x646f_6e65;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Ended(i32),
    Killed(u32),
    Done,
}

/// All records of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// The status of the program, when its end was seen.
    pub(crate) status: Option<i32>,
    /// How many processes were left then, and were killed.
    pub(crate) killed: Option<u32>,
    /// Whether everything that it started is known to be gone.
    pub(crate) done: bool,
}

impl Record {
    /// Its bytes. Does not allocate.
    pub(crate) fn bytes(self) -> [u8; 8] {
        let (word, value) = match self {
            Self::Ended(status) => (ENDED, status),
            Self::Killed(count) => (KILLED, count.cast_signed()),
            Self::Done => (DONE, 0),
        };
        let mut bytes = [0; 8];
        let (first, second) = bytes.split_at_mut(4);
        first.copy_from_slice(&word.to_ne_bytes());
        second.copy_from_slice(&value.to_ne_bytes());
        bytes
    }

    fn read(bytes: [u8; 8]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let value = i32::from_ne_bytes([e, f, g, h]);
        match u32::from_ne_bytes([a, b, c, d]) {
            ENDED => Some(Self::Ended(value)),
            KILLED => Some(Self::Killed(value.cast_unsigned())),
            DONE if value == 0 => Some(Self::Done),
            _ => None,
        }
    }
}

impl Records {
    /// Reads what arrived.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let (whole, _cut_off) = bytes.as_chunks();
        let mut records = Self::default();
        for bytes in whole {
            match (Record::read(*bytes), records) {
                (Some(Record::Ended(status)), Self { status: None, done: false, .. }) => records.status = Some(status),
                (Some(Record::Killed(count)), Self { status: Some(_), killed: None, done: false }) => {
                    records.killed = Some(count);
                }
                (Some(Record::Done), Self { done: false, .. }) => records.done = true,
                _ => return Self::default(),
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(records: &[Record]) -> Records {
        Records::read(&records.iter().flat_map(|r| r.bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn an_end_is_believed_with_its_whole_record_only() {
        let all = [Record::Ended(9), Record::Killed(3), Record::Done];
        assert_eq!(read(&all), Records { status: Some(9), killed: Some(3), done: true });
        assert_eq!(read(&all[..2]), Records { status: Some(9), killed: Some(3), done: false });
        assert_eq!(read(&[Record::Done]), Records { status: None, killed: None, done: true });
        let bytes = Record::Ended(0).bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Records::read(&bytes[..cut]), Records::default(), "{cut} bytes");
        }
    }

    #[test]
    fn records_that_make_no_sense_are_not_believed_at_all() {
        for nonsense in [
            vec![Record::Ended(0), Record::Ended(1)],
            vec![Record::Done, Record::Ended(0)],
            vec![Record::Killed(1), Record::Ended(0)],
            vec![Record::Done, Record::Done],
        ] {
            assert_eq!(read(&nonsense), Records::default(), "{nonsense:?}");
        }
        let mut forged = Record::Ended(0).bytes().to_vec();
        forged.extend(*b"whatever");
        assert_eq!(Records::read(&forged), Records::default());
    }
}
