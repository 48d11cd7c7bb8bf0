//! Users whom a proxy names in a header.
//!
//! The headers count only on connections from the configured networks. On others they are ignored:
//! the request is treated as if it had none.

use axum::http::HeaderMap;

use super::{Peer, Principal};
use crate::config::{GroupRole, Network, Settings};
use crate::journal::Journal;
use crate::ops::accounts::{self, Access, DagPattern, Grant, GroupRoles, Role};
use crate::server::problem::Problem;

/// The proxies that are believed.
#[derive(Debug)]
pub(in crate::server) struct ProxyAuth {
    header: String,
    trusted: Vec<Network>,
    /// The role of those who are no users here.
    role: Option<Role>,
    /// The header with groups, and what members of each may do.
    groups: Option<(String, GroupRoles)>,
}

impl ProxyAuth {
    /// `None` if no header is configured.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let header = settings.proxy_header()?.to_owned();
        let role = settings.proxy_role().and_then(|name| name.parse().ok());
        let groups = settings.proxy_groups_header().map(|header| (header.to_owned(), roles(settings.proxy_groups())));
        Some(ProxyAuth { header, trusted: settings.proxy_trusted().to_vec(), role, groups })
    }

    fn is_trusted(&self, peer: Option<Peer>) -> bool {
        peer.is_some_and(|Peer(address)| self.trusted.iter().any(|network| network.contains(address)))
    }

    /// The groups that a request names.
    fn groups(&self, headers: &HeaderMap) -> Vec<String> {
        let named = self.groups.as_ref().and_then(|(header, _)| only(headers, header)).unwrap_or_default();
        named.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect()
    }

    /// What members of these groups may do.
    fn grants(&self, groups: &[String]) -> Vec<Grant> {
        self.groups.as_ref().map(|(_, roles)| roles.of(groups)).unwrap_or_default()
    }

    /// The principal of a request that a proxy has authenticated. A user of this server has the
    /// roles of that user. Others have those of their groups; without any, the configured role.
    pub(super) async fn principal(
        &self,
        journal: &Journal,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<Option<Principal>, Problem> {
        let name = only(headers, &self.header).filter(|name| self.is_trusted(peer) && name.len() <= 256);
        let Some(name) = name else { return Ok(None) };
        let groups = self.groups(headers);
        if let Some(user) = accounts::user(journal, name).await? {
            let access = Access::of(user.grants);
            return Ok(Some(Principal::named(user.name.clone(), Some(user.name), access, groups)));
        }
        let mut grants = self.grants(&groups);
        if grants.is_empty() {
            grants.extend(self.role.map(|role| Grant::new(role, DagPattern::All)));
        }
        Ok(Some(Principal::named(name.to_owned(), None, Access::of(grants), groups)))
    }
}

/// The value of a header. If there are several, there is none: a client may have sent one of them.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

/// What members of groups may do. The configuration has checked the words.
pub(super) fn roles(groups: &[GroupRole]) -> GroupRoles {
    let mut roles = GroupRoles::default();
    for GroupRole { group, role, dags } in groups {
        let grants = role.parse().and_then(|role| Grant::of_role(role, dags.iter().map(String::as_str)));
        roles.add(group, grants.unwrap_or_default());
    }
    roles
}

/// For fuzzing: reads the headers in which a proxy names a user and groups.
pub(super) fn read_any(headers: &HeaderMap) {
    let mut roles = GroupRoles::default();
    roles.add("dev", vec![Grant::new(Role::Viewer, DagPattern::All)]);
    let groups = Some(("x-forwarded-groups".to_owned(), roles));
    let proxy = ProxyAuth { header: "x-forwarded-user".to_owned(), trusted: Vec::new(), role: None, groups };
    let _ = (only(headers, &proxy.header), proxy.is_trusted(None), proxy.grants(&proxy.groups(headers)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configured_group_has_its_grants() {
        for text in ["a = viewer", "a = operator of daily", "a = admin of team_a.*", "a = viewer of tag:finance b"] {
            let roles = roles(&[text.parse().unwrap()]);
            let grants: Vec<_> = roles.of(&["a".to_owned()]).iter().map(|grant| format!("a = {grant}")).collect();
            match grants.as_slice() {
                [grant] => assert_eq!(grant, text),
                grants => assert_eq!(grants, ["a = viewer of tag:finance", "a = viewer of b"]),
            }
        }
    }
}
