//! Reads the data of segments, and compares it with its checksum.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::read::{Question, get};
use super::{SqliteStore, segment_id};
use crate::store::checksum::{Checksum, of_data};
use crate::store::error::StoreError;

/// How many segments are kept.
const SEGMENTS: usize = 4;
/// Larger data is not kept.
const LARGEST: usize = 8 << 20;

/// Data that was read and compared lately: values are read one by one, and many are in one segment.
#[derive(Debug, Default)]
pub(super) struct DataCache {
    recent: Mutex<Vec<(i64, Arc<Vec<u8>>)>>,
}

impl DataCache {
    fn get(&self, id: i64) -> Option<Arc<Vec<u8>>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().find(|(known, _)| *known == id).map(|(_, data)| Arc::clone(data))
    }

    fn put(&self, id: i64, data: &Arc<Vec<u8>>) {
        if data.len() <= LARGEST {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.insert(0, (id, Arc::clone(data)));
            recent.truncate(SEGMENTS);
        }
    }

    /// Forgets everything, so that the next reads compare again.
    pub(super) fn clear(&self) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

pub(super) async fn data(
    store: &SqliteStore,
    run: i64,
    segment: u32,
    range: Range<u32>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(id) = segment_id(run, segment) else { return Ok(None) };
    let whole = match store.data.get(id) {
        Some(whole) => whole,
        None => match read(store, run, segment, id).await? {
            Some(whole) => whole,
            None => return Ok(None),
        },
    };
    Ok(whole.get(range.start as usize..range.end as usize).map(<[u8]>::to_vec))
}

async fn read(store: &SqliteStore, run: i64, segment: u32, id: i64) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
    let sql = "SELECT data, data_checksum, ? <= (SELECT last FROM heads WHERE run = 0) FROM segments WHERE id = ?";
    let rows = Question::new(sql).give(run).give(id).ask(store).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let place = || format!("segment {segment} of run {run}");
    let data: Vec<u8> = get(store, row, 0, place)?;
    let is_older = get::<Option<bool>>(store, row, 2, place)?.unwrap_or(false);
    match get::<Option<Checksum>>(store, row, 1, place)? {
        Some(checksum) if checksum == of_data(&data) => {}
        Some(_) => return Err(store.damaged(format!("{}: its values do not have their checksum", place()))),
        None if is_older => {}
        None => return Err(store.damaged(format!("{}: its values have no checksum", place()))),
    }
    let data = Arc::new(data);
    store.data.put(id, &data);
    Ok(Some(data))
}
