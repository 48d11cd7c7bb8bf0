//! Rights to assets, which belong to several DAGs.
//!
//! - Somebody sees an asset if they may view a DAG that produces or consumes it, and the payloads
//!   of its events if they may see the values of one.
//! - An event starts runs of all consumers, so emitting one needs the right for each of them.
//! - An asset of no DAG needs the right for all DAGs.

use std::collections::BTreeMap;

use super::Visitor;
use crate::ops::accounts::Right;
use crate::ops::{self, AssetDags, EventDocument, OpsError};
use crate::server::problem::Problem;

/// What somebody may do with the assets of the program.
pub(in crate::server) struct AssetRights<'v> {
    visitor: &'v Visitor,
    dags: BTreeMap<String, AssetDags>,
}

impl<'v> AssetRights<'v> {
    pub(in crate::server) fn of(visitor: &'v Visitor) -> Self {
        AssetRights { visitor, dags: ops::dags_of_assets() }
    }

    fn may_with_any(&self, right: Right, asset: &str) -> bool {
        let dags = self.dags.get(asset);
        let mut dags = dags.into_iter().flat_map(|dags| dags.producers.iter().chain(&dags.consumers));
        self.visitor.principal().may_everywhere(right) || dags.any(|dag| self.visitor.may(right, dag))
    }

    pub(in crate::server) fn sees(&self, asset: &str) -> bool {
        self.may_with_any(Right::View, asset)
    }

    /// The assets that they see; `None`: all, also those that the program does not have any more.
    pub(in crate::server) fn seen(&self) -> Option<Vec<String>> {
        if self.visitor.principal().may_everywhere(Right::View) {
            return None;
        }
        Some(self.dags.keys().filter(|asset| self.sees(asset)).cloned().collect())
    }

    /// Checks that they may emit an event.
    pub(in crate::server) fn check_emit(&self, asset: &str) -> Result<(), Problem> {
        if !self.sees(asset) {
            return Err(OpsError::UnknownAsset { asset: asset.to_owned(), nearest: None }.into());
        }
        let none = AssetDags::default();
        let consumers = &self.dags.get(asset).unwrap_or(&none).consumers;
        if consumers.is_empty() {
            return self.visitor.check_everywhere(Right::Emit);
        }
        match consumers.iter().find(|dag| !self.visitor.may(Right::Emit, dag)) {
            None => Ok(()),
            // Its name may be unknown to them.
            Some(_) => {
                let detail =
                    format!("an event of `{asset}` starts runs of DAGs for which you do not have the right `emit`");
                Err(Problem::forbidden(detail)
                    .next("ask an admin for the role `operator` for all DAGs that consume it"))
            }
        }
    }

    /// The event without what they may not see of it.
    pub(in crate::server) fn shown(&self, mut event: EventDocument) -> EventDocument {
        if !self.may_with_any(Right::ViewValues, &event.asset) {
            event.payload = None;
        }
        event
    }
}
