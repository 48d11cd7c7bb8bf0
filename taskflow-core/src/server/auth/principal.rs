//! Who a request comes from, and what they may do.

use crate::base::Timestamp;
use crate::ops::accounts::{Access, Authenticated, Right};
use crate::ops::{Actor, Membership, Respondent, Via};
use crate::run::QuestionRespondents;

/// Who a request comes from.
#[derive(Clone, Debug)]
pub(in crate::server) struct Principal {
    actor: Option<Actor>,
    user: Option<String>,
    access: Access,
    /// The groups that a provider or a proxy names.
    groups: Vec<String>,
    /// Whether everybody who reaches the server is this principal.
    is_everybody: bool,
    /// When they have given their password; `None` if they have not logged in with one.
    confirmed: Option<Timestamp>,
}

/// Whose requests are counted together. A user is the same whether a session, a token or a proxy
/// says so: whoever makes several tokens has no larger share of the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) enum Owner {
    User(String),
    /// Somebody who is no user here: whom a proxy names, or a token that belongs to nobody.
    Other(Actor),
}

impl Principal {
    /// Nobody, who may do nothing.
    pub(in crate::server) fn nobody() -> Self {
        let (access, groups) = (Access::default(), Vec::new());
        Principal { actor: None, user: None, access, groups, is_everybody: false, confirmed: None }
    }

    /// Whoever uses this machine; or everybody, if authentication is off.
    pub(super) fn anybody(is_everybody: bool) -> Self {
        let actor = Actor { name: crate::base::account(), via: Via::Loopback };
        let (access, groups) = (Access::all(), Vec::new());
        Principal { actor: Some(actor), user: None, access, groups, is_everybody, confirmed: None }
    }

    pub(super) fn named(name: String, user: Option<String>, access: Access, groups: Vec<String>) -> Self {
        let actor = Some(Actor { name, via: Via::Proxy });
        Principal { actor, user, access, groups, is_everybody: false, confirmed: None }
    }

    /// Who it is; `None`: nobody that is known.
    pub(in crate::server) fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// The user that the session or the token belongs to.
    pub(in crate::server) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// What is known of them besides the name.
    pub(in crate::server) fn membership(&self) -> Membership {
        Membership { user: self.user.clone(), groups: self.groups.clone() }
    }

    /// Whether they may answer a question, as far as the question says. They need the right to
    /// operate the DAG besides.
    pub(in crate::server) fn may_answer(&self, respondents: &QuestionRespondents, requested_by: &[String]) -> bool {
        self.actor.as_ref().is_some_and(|Actor { name, via }| {
            let respondent = Respondent { name, via: via.name(), user: self.user(), groups: &self.groups };
            respondent.may_answer(respondents, requested_by)
        })
    }

    /// Whose share of the server their requests take from, if they are known by name.
    pub(in crate::server) fn owner(&self) -> Option<Owner> {
        let actor = self.actor.as_ref().filter(|_| self.is_named())?;
        Some(match &self.user {
            Some(user) => Owner::User(user.clone()),
            None => Owner::Other(actor.clone()),
        })
    }

    /// Whether it is somebody with a name of their own, not just whoever uses this machine.
    pub(in crate::server) fn is_named(&self) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.via != Via::Loopback)
    }

    /// Whether everybody who reaches the server is this principal.
    pub(in crate::server) fn is_everybody(&self) -> bool {
        self.is_everybody
    }

    /// Whether they have logged in, with a password or at a provider.
    pub(in crate::server) fn has_session(&self) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.via == Via::Session)
    }

    /// When they have given their password; `None` if they have not logged in with one.
    pub(in crate::server) fn confirmed(&self) -> Option<Timestamp> {
        self.confirmed
    }

    /// Whether it is the same principal with the same rights.
    pub(in crate::server) fn is_same(&self, other: &Principal) -> bool {
        let known = |principal: &Principal| (principal.actor.clone(), principal.user.clone(), principal.is_everybody);
        known(self) == known(other) && self.access == other.access
    }

    pub(in crate::server) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether they have a right to all DAGs, and to what belongs to none.
    pub(in crate::server) fn may_everywhere(&self, right: Right) -> bool {
        self.access.may_everywhere(right)
    }
}

impl From<Authenticated> for Principal {
    fn from(Authenticated { actor, user, access, groups, confirmed }: Authenticated) -> Self {
        Principal { actor: Some(actor), user, access, groups, is_everybody: false, confirmed }
    }
}
