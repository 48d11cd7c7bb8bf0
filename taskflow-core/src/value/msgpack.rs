//! Reads MessagePack without a type, token by token, from untrusted bytes.
//!
//! serde can read a value only with its type, all its bytes and enough stack. A preview has no type
//! and often only the first kilobytes, and a row of the store may be damaged. This reader relies
//! only on the bytes, does not recurse, and never allocates according to a header.
//! they are, without recursion, and nothing is allocated because a header says so.

use std::fmt;

/// The deepest nesting of lists and maps that is stored and read.
///
/// Reading recurses, and the threads of tasks have 2 MiB of stack. In a debug build 128 levels take
/// less than a fourth of that, even if an untagged enum doubles them; `serde_json` has the same
/// limit.
pub(super) const MAX_DEPTH: usize = 128;

/// A scalar, or the header of a list or map whose content follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
    Text(Chunk<'a>),
    Binary(Chunk<'a>),
    Extension(i8, Chunk<'a>),
    /// So many values follow.
    List(u32),
    /// So many pairs of key and value follow.
    Map(u32),
}

/// The content of a text or binary; less than its header announces if the bytes end early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) len: u32,
}

impl Chunk<'_> {
    /// Whether the bytes end within it.
    pub(super) fn is_cut(&self) -> bool {
        self.bytes.len() < self.len as usize
    }
}

impl Token<'_> {
    /// The number of direct children; `None` if it is not a list or map.
    fn children(&self) -> Option<u64> {
        match *self {
            Token::List(len) => Some(u64::from(len)),
            Token::Map(len) => Some(2 * u64::from(len)),
            _ => None,
        }
    }

    fn chunk(&self) -> Option<&Chunk<'_>> {
        match self {
            Token::Text(chunk) | Token::Binary(chunk) | Token::Extension(_, chunk) => Some(chunk),
            _ => None,
        }
    }
}

/// Why bytes are not exactly one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// They end early.
    Ended { at: usize },
    /// They contain the byte that MessagePack never uses.
    Reserved { at: usize },
    /// They have more levels than [`MAX_DEPTH`].
    TooDeep { at: usize },
    /// More bytes follow the value.
    Trailing { at: usize, len: usize },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Ended { at } => write!(f, "the stored bytes end at byte {at}, before the value does"),
            Broken::Reserved { at } => write!(f, "byte {at} of the stored bytes is not MessagePack"),
            Broken::TooDeep { at } => {
                write!(f, "at byte {at} the stored value is nested deeper than {MAX_DEPTH} levels")
            }
            Broken::Trailing { at, len } => write!(f, "the stored value ends at byte {at}, and {len} bytes follow"),
        }
    }
}

/// Reads tokens from the beginning of bytes.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { all: bytes, at: 0 }
    }

    /// The next token. A text may be cut; a number may not.
    pub(super) fn token(&mut self) -> Result<Token<'a>, Broken> {
        let start = self.at;
        let [marker] = self.array()?;
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(u64::from(marker)),
            0x80..=0x8f => Token::Map(u32::from(marker & 0x0f)),
            0x90..=0x9f => Token::List(u32::from(marker & 0x0f)),
            0xa0..=0xbf => Token::Text(self.chunk(u32::from(marker & 0x1f))),
            0xc0 => Token::Nil,
            0xc1 => return Err(Broken::Reserved { at: start }),
            0xc2 | 0xc3 => Token::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let len = self.length(marker - 0xc4)?;
                Token::Binary(self.chunk(len))
            }
            0xc7..=0xc9 => {
                let len = self.length(marker - 0xc7)?;
                self.extension(len)?
            }
            0xca => Token::Single(f32::from_be_bytes(self.array()?)),
            0xcb => Token::Double(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(u64::from(u8::from_be_bytes(self.array()?))),
            0xcd => Token::Unsigned(u64::from(u16::from_be_bytes(self.array()?))),
            0xce => Token::Unsigned(u64::from(u32::from_be_bytes(self.array()?))),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => Token::Signed(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => Token::Signed(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => Token::Signed(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => Token::Signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let len = self.length(marker - 0xd9)?;
                Token::Text(self.chunk(len))
            }
            0xdc | 0xdd => Token::List(self.length(marker - 0xdb)?),
            0xde | 0xdf => Token::Map(self.length(marker - 0xdd)?),
            0xe0..=0xff => Token::Signed(i64::from(i8::from_be_bytes([marker]))),
        })
    }

    /// The next token, which must be complete.
    pub(super) fn whole_token(&mut self) -> Result<Token<'a>, Broken> {
        let token = self.token()?;
        match token.chunk() {
            Some(chunk) if chunk.is_cut() => Err(self.ended()),
            _ => Ok(token),
        }
    }

    /// Skips `values` values and their children.
    pub(super) fn skip(&mut self, values: u64) -> Result<(), Broken> {
        let mut left = values;
        while left > 0 {
            let children = self.whole_token()?.children().unwrap_or(0);
            left = (left - 1).saturating_add(children);
        }
        Ok(())
    }

    /// Skips everything that has not been read.
    pub(super) fn end(&mut self) {
        self.at = self.all.len();
    }

    /// Whether everything has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    fn ended(&self) -> Broken {
        Broken::Ended { at: self.all.len() }
    }

    fn rest(&self) -> &'a [u8] {
        self.all.get(self.at..).unwrap_or_default()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let bytes = self.rest().first_chunk::<N>().ok_or_else(|| self.ended())?;
        self.at += N;
        Ok(*bytes)
    }

    /// Reads a length of one, two or four bytes, for a `width` of 0, 1 or 2.
    fn length(&mut self, width: u8) -> Result<u32, Broken> {
        Ok(match width {
            0 => u32::from(u8::from_be_bytes(self.array()?)),
            1 => u32::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?),
        })
    }

    fn chunk(&mut self, len: u32) -> Chunk<'a> {
        let rest = self.rest();
        let bytes = rest.get(..len as usize).unwrap_or(rest);
        self.at += bytes.len();
        Chunk { bytes, len }
    }

    fn extension(&mut self, len: u32) -> Result<Token<'a>, Broken> {
        let kind = i8::from_be_bytes(self.array()?);
        Ok(Token::Extension(kind, self.chunk(len)))
    }
}

/// Checks that `bytes` are one value, no deeper than [`MAX_DEPTH`], with nothing after it.
///
/// Afterwards a recursive reader cannot overflow the stack, and no header announces more than the
/// bytes contain.
pub(super) fn check(bytes: &[u8]) -> Result<(), Broken> {
    let mut reader = Reader::new(bytes);
    // How many values remain in each open list or map.
    let mut open: Vec<u64> = Vec::new();
    loop {
        let at = reader.at;
        if let Some(children) = reader.whole_token()?.children() {
            if open.len() == MAX_DEPTH {
                return Err(Broken::TooDeep { at });
            }
            // Each takes at least one byte.
            if children > reader.rest().len() as u64 {
                return Err(reader.ended());
            }
            if children > 0 {
                open.push(children);
                continue;
            }
        }
        while let Some(left) = open.last_mut() {
            *left -= 1;
            if *left > 0 {
                break;
            }
            open.pop();
        }
        if open.is_empty() {
            return match reader.rest().len() {
                0 => Ok(()),
                len => Err(Broken::Trailing { at: reader.at, len }),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_writes_exactly_one_value() {
        let value =
            (1_u64, -7_i64, "text", Some(2.5_f64), vec![(); 20], None::<u8>, vec![vec![0_u8; 300]; 70_000 / 300]);
        assert_eq!(check(&rmp_serde::to_vec_named(&value).unwrap()), Ok(()));
    }

    #[test]
    fn every_prefix_of_a_value_is_incomplete() {
        let bytes = rmp_serde::to_vec_named(&(1_u64 << 40, "text", vec![1.5_f32, 2.5], Some(u16::MAX))).unwrap();
        for len in 0..bytes.len() {
            assert_eq!(check(&bytes[..len]), Err(Broken::Ended { at: len }));
        }
    }

    #[test]
    fn trailing_bytes_are_reported() {
        let error = check(&[0x01, 0x02, 0x03]).unwrap_err();
        assert_eq!(error.to_string(), "the stored value ends at byte 1, and 2 bytes follow");
    }

    #[test]
    fn the_reserved_byte_is_reported_with_its_offset() {
        let error = check(&[0x92, 0x01, 0xc1]).unwrap_err();
        assert_eq!(error.to_string(), "byte 2 of the stored bytes is not MessagePack");
    }

    #[test]
    fn depth_is_limited_without_recursion() {
        let nested = |levels: usize| {
            let mut bytes = vec![0x91; levels];
            bytes.push(0xc0);
            check(&bytes)
        };
        assert_eq!(nested(MAX_DEPTH), Ok(()));
        assert_eq!(nested(MAX_DEPTH + 1), Err(Broken::TooDeep { at: MAX_DEPTH }));
        assert_eq!(nested(10_000_000), Err(Broken::TooDeep { at: MAX_DEPTH }));
    }

    #[test]
    fn a_length_beyond_the_input_is_rejected_before_reading() {
        let promised = [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(check(&promised), Err(Broken::Ended { at: 6 }));
    }

    #[test]
    fn skipping_a_value_skips_its_contents() {
        let bytes = rmp_serde::to_vec_named(&(vec![vec![1, 2], vec![3]], "x", 9)).unwrap();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.token(), Ok(Token::List(3)));
        assert_eq!(reader.skip(2), Ok(()));
        assert_eq!(reader.token(), Ok(Token::Unsigned(9)));
    }
}
