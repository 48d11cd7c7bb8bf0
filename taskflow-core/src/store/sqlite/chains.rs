//! The ends of the chains of runs that this process writes: what their next segments follow.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::segment_id;
use crate::store::checksum::{Checksum, Head, before_first, of_data, of_segment};
use crate::store::rows::{Append, AppendTarget, Appended};

/// The checksums of a segment and of its data.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checksums {
    pub(super) segment: Checksum,
    pub(super) data: Checksum,
}

/// The last segments that this process has stored, by run. It is only a shortcut: a run that
/// another process has claimed meanwhile is fenced.
#[derive(Debug, Default)]
pub(super) struct Chains {
    heads: Mutex<HashMap<i64, Head>>,
}

impl Chains {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Head>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checksums of the segments of a batch; nothing of value for parts without a segment.
    pub(super) async fn checksum(
        &self,
        connection: &mut SqliteConnection,
        batch: &[Append],
    ) -> sqlx::Result<Vec<Checksums>> {
        let mut within: HashMap<i64, Head> = HashMap::new();
        let mut checksums = Vec::with_capacity(batch.len());
        for part in batch {
            let Some(segment) = &part.segment else {
                checksums.push(Checksums::default());
                continue;
            };
            let before = match &part.run {
                AppendTarget::New(run) => before_first(&run.info.run_id),
                &AppendTarget::Existing { run, .. } => {
                    let follows = |head: Head| (head.0 == segment.number.wrapping_sub(1)).then_some(head.1);
                    let known = within.get(&run).copied().and_then(follows);
                    match known.or_else(|| self.lock().get(&run).copied().and_then(follows)) {
                        Some(before) => before,
                        None => stored_before(connection, run, segment.number).await?,
                    }
                }
            };
            let data = of_data(&segment.data);
            let checksum = of_segment(before, segment.number, &segment.events, data);
            if let AppendTarget::Existing { run, .. } = part.run {
                within.insert(run, (segment.number, checksum));
            }
            checksums.push(Checksums { segment: checksum, data });
        }
        Ok(checksums)
    }

    /// Remembers the ends of the runs in a batch.
    pub(super) fn stored(&self, batch: &[Append], checksums: &[Checksums], answers: &[Appended]) {
        let mut heads = self.lock();
        for ((part, checksums), answer) in batch.iter().zip(checksums).zip(answers) {
            let (run, segment) = match (answer, &part.run) {
                (&Appended::Stored(run), _) => (run, part.segment.as_ref()),
                (_, &AppendTarget::Existing { run, .. }) => (run, None),
                _ => continue,
            };
            let has_ended = part.update.as_ref().is_some_and(|update| update.state.is_terminal());
            match segment {
                Some(segment) if !has_ended => drop(heads.insert(run, (segment.number, checksums.segment))),
                _ => drop(heads.remove(&run)),
            }
        }
    }
}

/// The checksum that a segment of a stored run follows. Without such a run it does not matter: the
/// segment is fenced.
async fn stored_before(connection: &mut SqliteConnection, run: i64, number: u32) -> sqlx::Result<Checksum> {
    let sql = "SELECT run_id, (SELECT checksum FROM segments WHERE id = ?) FROM runs WHERE number = ?";
    let id = segment_id(run, number).map_or(0, |id| id - 1);
    let row = sqlx::query(sql).bind(id).bind(run).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(0) };
    Ok(match row.try_get(1)? {
        Some(before) => before,
        None => before_first(row.try_get(0)?),
    })
}
