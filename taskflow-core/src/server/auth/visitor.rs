//! What handlers get: the state of the server, with who asks.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Principal;
use super::attempts::ChangeRequest;
use super::layer::Presented;
use crate::dag::DagDef;
use crate::ops::accounts::Right;
use crate::ops::{AuditTarget, TriggeredRun};
use crate::server::ServerState;
use crate::server::problem::Problem;
use crate::store::RunFilter;

/// The state of the server, with who asks. It is the only way for a handler to get the state.
#[derive(Clone, Debug)]
pub(in crate::server) struct Visitor {
    state: ServerState,
    principal: Arc<Principal>,
    presented: Option<Arc<Presented>>,
    /// What they ask for, if it changes something.
    attempt: Option<Arc<ChangeRequest>>,
}

impl Deref for Visitor {
    type Target = ServerState;

    fn deref(&self) -> &ServerState {
        &self.state
    }
}

impl Visitor {
    /// Whoever the layer of authentication has found; nobody if it was not there.
    pub(in crate::server) fn new(state: ServerState, extensions: &axum::http::Extensions) -> Self {
        let known = extensions.get::<Arc<Principal>>().cloned();
        let principal = known.unwrap_or_else(|| Arc::new(Principal::nobody()));
        let presented = extensions.get::<Arc<Presented>>().cloned();
        Visitor { state, principal, presented, attempt: extensions.get::<Arc<ChangeRequest>>().cloned() }
    }

    pub(in crate::server) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether they are still known, and have the rights that they had when they asked. For answers
    /// that take long.
    pub(in crate::server) async fn is_still_known(&self) -> bool {
        match &self.presented {
            Some(presented) => presented.still_is(&self.state, &self.principal).await,
            None => false,
        }
    }

    /// Them with the rights that they have now. For answers that take long.
    ///
    /// # Errors
    ///
    /// When they are not known any more.
    pub(in crate::server) async fn renewed(&self) -> Result<Visitor, Problem> {
        match &self.presented {
            Some(presented) => {
                let principal = Arc::new(presented.now(&self.state).await?);
                Ok(Visitor { principal, ..self.clone() })
            }
            // They were nobody then.
            None => Ok(self.clone()),
        }
    }

    /// Whether they have a right to a DAG.
    pub(in crate::server) fn may(&self, right: Right, dag: &str) -> bool {
        let known = self.state.dags.iter().find(|known| known.id == dag);
        self.principal.access().may(right, dag, known.map_or(&[], |dag| dag.options.tags))
    }

    /// The DAGs of the program that they see.
    pub(in crate::server) fn seen_dags(&self) -> Vec<&'static DagDef> {
        self.state.dags.iter().copied().filter(|dag| self.may(Right::View, dag.id)).collect()
    }

    /// What they may see in lists.
    pub(in crate::server) async fn visible(&self) -> Result<Visible, Problem> {
        self.dags_with(&[Right::View]).await
    }

    /// The runs of a filter that they may list. Whoever selects by values of parameters is told
    /// these values, so they get runs only whose values they may read.
    ///
    /// # Errors
    ///
    /// When they see the DAG that the filter names, and may not read its values.
    pub(in crate::server) async fn runs(&self, filter: RunFilter) -> Result<RunFilter, Problem> {
        if filter.params.is_empty() {
            return Ok(self.visible().await?.runs(filter));
        }
        if let Some(dag) = &filter.dag
            && self.may(Right::View, dag)
            && !self.may(Right::ViewValues, dag)
        {
            return Err(self.lacks(Right::ViewValues, &format!("the DAG `{dag}`"), AuditTarget::dag(dag)));
        }
        Ok(self.dags_with(&[Right::View, Right::ViewValues]).await?.runs(filter))
    }

    /// The DAGs to which they have all these rights.
    async fn dags_with(&self, rights: &[Right]) -> Result<Visible, Problem> {
        if rights.iter().all(|right| self.principal.may_everywhere(*right)) {
            return Ok(Visible { dags: None });
        }
        let mut dags: Vec<String> = self.state.dags.iter().map(|dag| dag.id.to_owned()).collect();
        dags.extend(self.state.journal.last_runs().await?.into_iter().map(|run| run.info.dag_id));
        dags.retain(|dag| rights.iter().all(|right| self.may(*right, dag)));
        dags.sort_unstable();
        dags.dedup();
        Ok(Visible { dags: Some(dags) })
    }

    /// Checks a right to all DAGs, and to what belongs to none.
    pub(in crate::server) fn check_everywhere(&self, right: Right) -> Result<(), Problem> {
        self.check_everywhere_of(right, AuditTarget::default())
    }

    /// The same, to do something to this.
    pub(in crate::server) fn check_everywhere_of(&self, right: Right, target: AuditTarget) -> Result<(), Problem> {
        if self.principal.may_everywhere(right) {
            return Ok(());
        }
        Err(self.lacks(right, "all DAGs", target))
    }

    /// Checks a right to an object of a DAG. What they may not see does not exist for them.
    pub(in crate::server) fn check(
        &self,
        right: Right,
        dag: &str,
        target: impl FnOnce() -> AuditTarget,
        unknown: impl FnOnce() -> Problem,
    ) -> Result<(), Problem> {
        if self.may(right, dag) && self.may(Right::View, dag) {
            return Ok(());
        }
        let problem = self.lacks(right, &format!("the DAG `{dag}`"), target());
        Err(if self.may(Right::View, dag) { problem } else { unknown() })
    }

    fn lacks(&self, right: Right, what: &str, target: AuditTarget) -> Problem {
        let who = self.principal.actor().map_or_else(|| "nobody".to_owned(), |actor| format!("`{}`", actor.name));
        let detail = format!("{who} does not have the right `{}` for {what}", right.name());
        let role = right.least_role().name();
        self.refused(
            target,
            Problem::forbidden(detail).next(format!("ask an admin for the role `{role}`, which includes it")),
        )
    }

    /// Every refusal for a missing right passes here: a change that was asked for is in the audit
    /// trail then.
    pub(in crate::server) fn refused(&self, target: AuditTarget, problem: Problem) -> Problem {
        self.note_refusal(target, &problem.shown().detail);
        problem
    }

    /// Notes a refusal that is told in another way.
    pub(in crate::server) fn note_refusal(&self, target: AuditTarget, why: &str) {
        if let Some(attempt) = &self.attempt {
            attempt.note(target, why);
        }
    }

    /// Whether they have given their password a short while ago, if they have logged in with one.
    pub(in crate::server) fn is_confirmed(&self) -> bool {
        self.state.is_confirmed(&self.principal)
    }
}

impl FromRequestParts<ServerState> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, Self::Rejection> {
        Ok(Visitor::new(state.clone(), &parts.extensions))
    }
}

/// The DAGs that somebody may see.
#[derive(Clone, Debug)]
pub(in crate::server) struct Visible {
    /// `None`: all.
    dags: Option<Vec<String>>,
}

impl Visible {
    pub(in crate::server) fn has(&self, dag: &str) -> bool {
        self.dags.as_ref().is_none_or(|dags| dags.iter().any(|known| known == dag))
    }

    pub(in crate::server) fn has_all(&self) -> bool {
        self.dags.is_none()
    }

    /// The runs of them that are visible, with those that these have triggered.
    pub(in crate::server) fn triggered(&self, mut runs: Vec<TriggeredRun>) -> Vec<TriggeredRun> {
        runs.retain(|run| self.has(&run.dag_id));
        for run in &mut runs {
            run.triggered = self.triggered(std::mem::take(&mut run.triggered));
        }
        runs
    }

    /// The filter for what of it is visible: pages are full, and none has other runs.
    pub(in crate::server) fn runs(&self, filter: RunFilter) -> RunFilter {
        RunFilter { among: self.dags.clone(), ..filter }
    }
}
