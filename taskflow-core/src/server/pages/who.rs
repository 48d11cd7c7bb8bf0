//! Who looks at a page: their name, and what they can do about it.

use crate::ops::accounts::Right;
use crate::server::auth::current;

/// Who looks at a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    /// The name; empty if nobody has to be known.
    pub(crate) name: String,
    /// Whether they have logged in here, and can log out.
    pub(crate) can_leave: bool,
    /// Whether they see all DAGs, and what belongs to none.
    pub(crate) sees_all: bool,
    /// Whether they manage users and the server.
    pub(crate) is_admin: bool,
    /// Whether everybody who reaches the server may do everything.
    pub(crate) is_everybody: bool,
}

impl Who {
    /// Who has sent the request that is answered.
    pub(crate) fn current() -> Who {
        let Some(principal) = current() else { return Who::default() };
        let named = principal.actor().filter(|_| principal.is_named());
        Who {
            name: named.map(|actor| actor.name.clone()).unwrap_or_default(),
            can_leave: principal.has_session(),
            sees_all: principal.may_everywhere(Right::View),
            is_admin: principal.may_everywhere(Right::Admin),
            is_everybody: principal.is_everybody(),
        }
    }
}
