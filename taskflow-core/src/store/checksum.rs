//! Checksums of what a store holds, so that damage is noticed instead of believed.
//!
//! A disk can return other bytes than were written, a copy can be incomplete, and a file can be
//! edited. SQLite notices some of that: whatever breaks the structure of its pages. It does not
//! notice a changed byte inside a value.
//!
//! 1. A checksum has 64 bits: the beginning of a SHA-256 over a word for its kind
//!    and over all of its parts, each with its length.
//! 2. The checksum of a segment covers its number, its entries, the checksum of its data, and the
//!    checksum of the segment before it. The first segment follows the checksum of the id of its
//!    run. So the segments of a run are a chain: none can be changed, exchanged, moved or left out
//!    without the chain breaking at that place.
//! 3. The *head* of a run is the number and the checksum of its last segment. It is stored with
//!    each segment and apart from it. A chain that ends elsewhere has lost its end.
//! 4. The data of a segment has a checksum of its own, because a history is read without its
//!    values.
//! 5. A graph has a checksum over its hash and its snapshot. The row of a run has one for each
//!    group of columns that is written together: what never changes, the parameters, the state, the
//!    owner, the graph.
//! 6. Whoever reads compares. What differs is [`StoreError::Damaged`](super::StoreError::Damaged),
//!    which names the place, so every operation that would have used it is refused.
//!    [`Maintenance::check`](super::traits::Maintenance::check) compares everything.
//! 7. A store that was written before there were checksums is read as it is. Whatever is written
//!    from then on has checksums; the chain of an older run begins at its first segment with a
//!    checksum. A run that was begun since then has all its checksums, or it is damaged.
//! 8. What living processes tell each other has none: [admissions](super::admission) and
//!    [leases](super::pool_leases). It means nothing once they have ended, and wrong bytes in it
//!    can only start something too early or too late. The test of damage lists the few other
//!    columns without one, each with the reason.
//!
//! Checksums protect against accidents, not against somebody who computes them.

use sha2::{Digest, Sha256};

/// A checksum.
pub(crate) type Checksum = i64;

/// The checksum of several parts.
fn checksum(what: &str, parts: &[&[u8]]) -> Checksum {
    let mut hash = Sha256::new();
    for part in [what.as_bytes()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// What the first segment of a run follows.
pub(crate) fn before_first(run_id: &str) -> Checksum {
    checksum("run", &[run_id.as_bytes()])
}

/// The checksum of the data of a segment.
pub(crate) fn of_data(data: &[u8]) -> Checksum {
    checksum("data", &[data])
}

/// The checksum of a segment.
pub(crate) fn of_segment(before: Checksum, number: u32, events: &[u8], data: Checksum) -> Checksum {
    checksum("segment", &[&before.to_be_bytes(), &number.to_be_bytes(), events, &data.to_be_bytes()])
}

/// The checksum of the snapshot of a graph.
pub(crate) fn of_graph(hash: &str, snapshot: &[u8]) -> Checksum {
    checksum("graph", &[hash.as_bytes(), snapshot])
}

/// The checksum of a group of columns.
pub(crate) fn of_columns(group: &str, columns: &[&[u8]]) -> Checksum {
    checksum(group, columns)
}

/// A stored segment without its data.
pub(crate) struct StoredSegment<'a> {
    pub(crate) number: u32,
    pub(crate) events: &'a [u8],
    /// Its checksum and that of its data; none if it was stored before there were checksums.
    pub(crate) checksums: Option<(Checksum, Checksum)>,
}

/// The end of a chain: the number and the checksum of the last segment.
pub(crate) type Head = (u32, Checksum);

/// What the last of several segments is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// The head of the run, if there is one.
    Head(Option<Head>),
    /// Nothing: more segments follow, which are compared with the head.
    Later,
}

/// Compares segments that follow each other with their checksums and with the head of their run.
/// `before` is the number and the checksum of the segment before them; `is_older` says whether the
/// run may have been begun before there were checksums.
///
/// # Errors
///
/// What is wrong, as a part of a sentence about the run.
pub(crate) fn check<'a>(
    run_id: &str,
    before: Option<(u32, Option<Checksum>)>,
    segments: impl Iterator<Item = StoredSegment<'a>>,
    end: End,
    is_older: bool,
) -> Result<(), String> {
    let (mut last, mut known) = before.unwrap_or((0, None));
    for StoredSegment { number, events, checksums } in segments {
        if number != last + 1 {
            return Err(format!("segment {} is missing", last + 1));
        }
        match checksums {
            Some((checksum, data)) => {
                let before = known.unwrap_or_else(|| before_first(run_id));
                if of_segment(before, number, events, data) != checksum {
                    return Err(format!("the checksum of segment {number} does not match"));
                }
                known = Some(checksum);
            }
            None if !is_older || known.is_some() => return Err(format!("segment {number} has no checksum")),
            None => {}
        }
        last = number;
    }
    let End::Head(head) = end else { return Ok(()) };
    match (head, known) {
        (Some((number, _)), _) if number > last => {
            Err(format!("its end is missing: it has {last} of {number} segments"))
        }
        (Some((number, checksum)), Some(known)) if (number, checksum) != (last, known) => {
            Err("its last segment is not the one that was stored last".to_owned())
        }
        (Some(_), None) | (None, Some(_)) => Err("its segments do not fit the record of the last one".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Vec<(u32, Vec<u8>, Checksum, Checksum)> {
        let mut before = before_first("run");
        let segment = |number: u32| {
            let (events, data) = (vec![number as u8; 3], of_data(&[number as u8]));
            before = of_segment(before, number, &events, data);
            (number, events, before, data)
        };
        (1..=3).map(segment).collect()
    }

    fn checked(segments: &[(u32, Vec<u8>, Checksum, Checksum)], head: Head) -> Result<(), String> {
        let stored = |(number, events, checksum, data): &(u32, Vec<u8>, Checksum, Checksum)| {
            let (number, checksums) = (*number, Some((*checksum, *data)));
            StoredSegment { number, events: &events.clone().leak()[..], checksums }
        };
        check("run", None, segments.iter().map(stored), End::Head(Some(head)), false)
    }

    #[test]
    fn a_chain_without_its_end_or_with_another_part_is_noticed() {
        let whole = chain();
        let head = (3, whole[2].2);
        assert_eq!(checked(&whole, head), Ok(()));
        assert_eq!(checked(&whole[..2], head), Err("its end is missing: it has 2 of 3 segments".to_owned()));
        assert_eq!(checked(&whole[1..], head), Err("segment 1 is missing".to_owned()));
        let without = [whole[0].clone(), whole[2].clone()];
        assert_eq!(checked(&without, head), Err("segment 2 is missing".to_owned()));
        for place in 0..3 {
            let mut other = whole.clone();
            other[place].1[0] ^= 1;
            assert_eq!(checked(&other, head), Err(format!("the checksum of segment {} does not match", place + 1)));
        }
        let mut exchanged = whole.clone();
        (exchanged[0].1, exchanged[1].1) = (whole[1].1.clone(), whole[0].1.clone());
        assert!(checked(&exchanged, head).is_err());
        assert!(check("other", None, std::iter::empty(), End::Head(Some(head)), false).is_err());
    }

    #[test]
    fn a_run_without_checksums_is_read_if_it_is_older_than_checksums() {
        let plain = || [1, 2].map(|number| StoredSegment { number, events: &[1], checksums: None }).into_iter();
        assert_eq!(check("run", None, plain(), End::Head(None), true), Ok(()));
        assert_eq!(check("run", None, plain(), End::Head(None), false), Err("segment 1 has no checksum".to_owned()));
        let data = of_data(&[]);
        let third = of_segment(before_first("run"), 3, &[1], data);
        let next = || StoredSegment { number: 3, events: &[1], checksums: Some((third, data)) };
        assert_eq!(check("run", None, plain().chain([next()]), End::Head(Some((3, third))), true), Ok(()));
        assert!(check("run", None, plain().chain([next()]), End::Head(None), true).is_err());
    }
}
