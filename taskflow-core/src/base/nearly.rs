//! For the tests of parsers: what is nearly right.

use proptest::prelude::*;

/// One of these texts with up to three changes: it is cut, a byte is inserted or replaced, or its
/// end is repeated.
pub(crate) fn nearly(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<u16>(), 0..4_u8, any::<u8>()), 0..4);
    (0..texts.len(), changes).prop_map(move |(text, changes)| {
        let mut bytes = texts[text].as_bytes().to_vec();
        for (at, how, byte) in changes {
            let at = usize::from(at) % (bytes.len() + 1);
            match how {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}
