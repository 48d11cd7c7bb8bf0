//! Reads the segments of a run, and compares them with their checksums.

use super::read::{Question, get};
use super::{SqliteStore, segment_id};
use crate::store::checksum::{Checksum, End, StoredSegment, check};
use crate::store::error::StoreError;
use crate::store::rows::SegmentRow;
use crate::store::traits::SEGMENTS;

/// One row for each segment, and for the one before the first; the columns after the fourth are
/// those of the run. Without segments it is one row with these columns alone.
const SQL: &str = "SELECT part.id & 4294967295, CASE WHEN part.id >= ?1 THEN part.events END, part.checksum, part.data_checksum, \
    run.run_id, heads.last, heads.checksum, run.number <= (SELECT last FROM heads WHERE run = 0) \
    FROM runs AS run LEFT JOIN heads ON heads.run = run.number \
    LEFT JOIN segments AS part ON part.id BETWEEN ?1 - 1 AND ?2 WHERE run.number = ?3 ORDER BY part.id";

pub(super) async fn segments(store: &SqliteStore, run: i64, from: u32) -> Result<Vec<SegmentRow>, StoreError> {
    let from = from.max(1);
    let up_to = from.saturating_add(SEGMENTS - 1);
    let (Some(first), Some(last)) = (segment_id(run, from), segment_id(run, up_to)) else {
        return Ok(Vec::new());
    };
    let rows = Question::new(SQL).give(first).give(last).give(run).ask(store).await?;
    let Some(any) = rows.first() else { return Ok(Vec::new()) };
    let place = || format!("a segment of run {run}");
    let run_id: String = get(store, any, 4, place)?;
    let head: Option<u32> = get(store, any, 5, place)?;
    let head = head.zip(get::<Option<Checksum>>(store, any, 6, place)?);
    let is_older = get::<Option<bool>>(store, any, 7, place)?.unwrap_or(false);
    let (mut before, mut segments, mut checksums) =
        (None, Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in &rows {
        let Some(number) = get::<Option<u32>>(store, row, 0, place)? else { continue };
        let checksum: Option<Checksum> = get(store, row, 2, place)?;
        if number < from {
            // The row before the first has the id of the run itself if there is none.
            before = (number > 0).then_some((number, checksum));
            continue;
        }
        let events: Vec<u8> = get(store, row, 1, place)?;
        segments.push(SegmentRow { number, events });
        checksums.push(checksum.zip(get::<Option<Checksum>>(store, row, 3, place)?));
    }
    if before.is_none() && from > 1 {
        if head.is_some_and(|(last, _)| last >= from - 1) || !segments.is_empty() {
            return Err(store.damaged(format!("run {run}: segment {} is missing", from - 1)));
        }
        return Ok(segments);
    }
    // Without the end of the chain, the next part is compared with the head.
    let is_part = segments.last().is_some_and(|row| row.number == up_to);
    let more = is_part && head.is_some_and(|(last, _)| last > up_to);
    let stored = segments.iter().zip(checksums);
    let stored = stored.map(|(row, checksums)| StoredSegment { number: row.number, events: &row.events, checksums });
    let end = if more { End::Later } else { End::Head(head) };
    check(&run_id, before, stored, end, is_older).map_err(|what| store.damaged(format!("run {run}: {what}")))?;
    Ok(segments)
}
