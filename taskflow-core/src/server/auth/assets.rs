//! Rights to assets, which belong to several DAGs.
//!
//! - Somebody sees an asset if they may view a DAG that produces or consumes it, and the payloads
//!   of its events if they may see the values of one. Of its producers, and of the runs that have
//!   emitted its events, they see those of DAGs that they may view.
//! - An event starts runs of all consumers, so emitting one needs the right for each of them.
//! - An asset of no DAG needs the right for all DAGs.

use std::collections::BTreeMap;

use super::Visitor;
use crate::ops::accounts::Right;
use crate::ops::{self, AssetDags, AssetDocument, AuditTarget, EventDocument, OpsError};
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
        let none = AssetDags::default();
        let consumers = &self.dags.get(asset).unwrap_or(&none).consumers;
        let (sees, target) = (self.sees(asset), AuditTarget::asset(asset));
        if sees && consumers.is_empty() {
            return self.visitor.check_everywhere_of(Right::Emit, target);
        }
        if sees && consumers.iter().all(|dag| self.visitor.may(Right::Emit, dag)) {
            return Ok(());
        }
        let unknown = OpsError::UnknownAsset { asset: asset.to_owned(), nearest: None };
        if !self.dags.contains_key(asset) {
            return Err(unknown.into());
        }
        // The names of the DAGs may be unknown to them.
        let detail = format!("an event of `{asset}` starts runs of DAGs for which you do not have the right `emit`");
        let problem = Problem::forbidden(detail);
        let problem = problem.next("ask an admin for the role `operator` for all DAGs that consume it");
        let problem = self.visitor.refused(target, problem);
        Err(if sees { problem } else { unknown.into() })
    }

    /// The event without what they may not see of it.
    pub(in crate::server) async fn shown(&self, mut event: EventDocument) -> Result<EventDocument, OpsError> {
        if !self.may_with_any(Right::ViewValues, &event.asset) {
            event.payload = None;
        }
        if let Some(run) = &event.run_id
            && !self.sees_run(run).await?
        {
            (event.run_id, event.task) = (None, None);
        }
        Ok(event)
    }

    pub(in crate::server) async fn all_shown(
        &self,
        events: Vec<EventDocument>,
    ) -> Result<Vec<EventDocument>, OpsError> {
        let mut shown = Vec::with_capacity(events.len());
        for event in events {
            shown.push(self.shown(event).await?);
        }
        Ok(shown)
    }

    /// The asset without what they may not see of it.
    pub(in crate::server) async fn shown_asset(&self, mut asset: AssetDocument) -> Result<AssetDocument, OpsError> {
        asset.producers.retain(|producer| self.sees_producer(&asset.name, producer));
        if let Some(last) = asset.last.take() {
            asset.last = Some(self.shown(last).await?);
        }
        Ok(asset)
    }

    /// Whether they see a producer of an asset, a DAG or one of its tasks. Ids have dots, so the
    /// name may be one of a task of several DAGs: they see it if they see each of these.
    fn sees_producer(&self, asset: &str, producer: &str) -> bool {
        let is_of = |dag: &str| producer.strip_prefix(dag).is_some_and(|task| task.is_empty() || task.starts_with('.'));
        let dags = self.dags.get(asset).into_iter().flat_map(|dags| &dags.producers);
        dags.filter(|dag| is_of(dag)).all(|dag| self.visitor.may(Right::View, dag))
    }

    /// Nobody knows any more of which DAG a run was that was deleted.
    async fn sees_run(&self, run_id: &str) -> Result<bool, OpsError> {
        if self.visitor.principal().may_everywhere(Right::View) {
            return Ok(true);
        }
        let run = self.visitor.journal.run_info(run_id).await?;
        Ok(run.is_some_and(|run| self.visitor.may(Right::View, &run.dag_id)))
    }
}
