//! What every store guarantees, as tests that run over each of them.

mod accounts;
mod admission;
mod appending;
pub(super) mod audit;
mod backfills;
pub(super) mod damage;
mod deliveries;
mod events;
mod ownership;
mod parts;
mod reading;
mod requests;
mod rollups;
mod schedules;
mod upkeep;

pub(super) use self::parts::{claim, known, new, ok, plain, segment, update};

/// The tests of one file, for each store.
macro_rules! of_every_store {
    ($($case:ident),* $(,)?) => {
        mod in_memory {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&crate::store::memory::MemoryStore::default()).await;
                }
            )*
        }

        #[cfg(feature = "sqlite")]
        mod in_sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = tempfile::tempdir().unwrap();
                    let path = dir.path().join("runs.db");
                    let store = crate::store::sqlite::SqliteStore::open(&path, crate::store::SyncMode::Normal);
                    super::$case(&store.await.unwrap()).await;
                }
            )*
        }
    };
}
use of_every_store;
