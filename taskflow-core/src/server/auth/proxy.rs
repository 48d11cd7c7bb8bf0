//! Users whom a proxy names in a header.
//!
//! The header counts only on connections from the configured networks. On others it is ignored: the
//! request is treated as if it had none.

use axum::http::HeaderMap;

use super::{Peer, Principal};
use crate::config::{Network, Settings};
use crate::journal::Journal;
use crate::ops::accounts::{self, Access, DagPattern, Grant, Role};
use crate::server::problem::Problem;

/// The proxies that are believed.
#[derive(Debug)]
pub(in crate::server) struct ProxyAuth {
    header: String,
    trusted: Vec<Network>,
    /// The role of those who are no users here.
    role: Option<Role>,
}

impl ProxyAuth {
    /// `None` if no header is configured.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let header = settings.proxy_header()?.to_owned();
        let role = settings.proxy_role().and_then(|name| name.parse().ok());
        Some(ProxyAuth { header, trusted: settings.proxy_trusted().to_vec(), role })
    }

    /// The user whom a request names, if its connection is believed.
    fn name<'h>(&self, peer: Option<Peer>, headers: &'h HeaderMap) -> Option<&'h str> {
        let Peer(address) = peer?;
        if !self.trusted.iter().any(|network| network.contains(address)) {
            return None;
        }
        let mut values = headers.get_all(&self.header).iter();
        let name = values.next()?.to_str().ok()?.trim();
        // A client may have sent one of two.
        let is_only = values.next().is_none();
        (is_only && !name.is_empty() && name.len() <= 256).then_some(name)
    }

    /// The principal of a request that a proxy has authenticated. A user of this server has the
    /// roles of that user, others the configured role.
    pub(super) async fn principal(
        &self,
        journal: &Journal,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<Option<Principal>, Problem> {
        let Some(name) = self.name(peer, headers) else { return Ok(None) };
        if let Some(user) = accounts::user(journal, name).await? {
            let access = Access::of(user.grants);
            return Ok(Some(Principal::named(user.name.clone(), Some(user.name), access)));
        }
        let grants = self.role.map(|role| vec![Grant::new(role, DagPattern::All)]);
        let access = Access::of(grants.unwrap_or_default());
        Ok(Some(Principal::named(name.to_owned(), None, access)))
    }
}
