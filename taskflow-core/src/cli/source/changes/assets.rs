//! Events of assets.

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::source::Source;
use crate::journal::Note;
use crate::ops::{self, AssetEmission, NewAssetEvent};
use crate::store::SyncMode;

impl Source {
    pub(in crate::cli) fn emit(
        &self,
        asset: &str,
        event: NewAssetEvent,
        note: &Note,
    ) -> Result<AssetEmission, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                let emitted = home.wait(ops::emit(&journal, asset, event, note));
                home.close(&journal);
                emitted
            }
            Source::Server(client) => {
                let NewAssetEvent { payload, partition, key, .. } = event;
                let body = json!({
                    "asset": asset,
                    "payload": payload,
                    "partition": partition,
                    "key": key,
                    "by": note.by,
                });
                client.send("POST", "/events", &[], &body, None)
            }
        }
    }
}
