//! Roles of groups, in a text such as `finance = viewer of tag:finance` or in a table.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

const ROLES: [&str; 3] = ["viewer", "operator", "admin"];

/// What the members of a group may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupRole {
    /// The group, as a proxy or a provider names it.
    pub group: String,
    /// `viewer`, `operator` or `admin`.
    pub role: &'static str,
    /// The DAGs that the role is for: ids, beginnings of ids, tags. None: all DAGs.
    pub dags: Vec<String>,
}

impl GroupRole {
    fn new(group: &str, role: &str, dags: Vec<String>) -> Option<Self> {
        let role = ROLES.into_iter().find(|known| *known == role)?;
        let is_valid = !group.is_empty() && dags.iter().all(|dags| is_pattern(dags));
        is_valid.then(|| GroupRole { group: group.to_owned(), role, dags })
    }
}

impl FromStr for GroupRole {
    type Err = ();

    /// Reads `ops = operator`, or `finance = viewer of team_a.* tag:finance`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (group, grant) = text.split_once('=').ok_or(())?;
        let (role, dags) = match grant.trim().split_once(" of ") {
            Some((role, dags)) => (role.trim(), dags.split_whitespace().map(str::to_owned).collect()),
            None => (grant.trim(), Vec::new()),
        };
        GroupRole::new(group.trim(), role, dags).ok_or(())
    }
}

/// Reads `{ admins = "admin", team = { role = "operator", dags = ["team_a.*"] } }`. A group with
/// several roles has an array of them.
pub(super) fn read_groups(groups: &Map<String, Value>) -> Option<Vec<GroupRole>> {
    let mut roles = Vec::new();
    for (group, given) in groups {
        let several = given.as_array().map_or(std::slice::from_ref(given), Vec::as_slice);
        for given in several {
            roles.push(read_role(group, given)?);
        }
    }
    (!roles.is_empty()).then_some(roles)
}

fn read_role(group: &str, given: &Value) -> Option<GroupRole> {
    let Value::Object(table) = given else { return GroupRole::new(group, given.as_str()?, Vec::new()) };
    if !table.keys().all(|key| matches!(&**key, "role" | "dags")) {
        return None;
    }
    let dags = match table.get("dags") {
        None => Vec::new(),
        // No DAGs would be all DAGs.
        Some(Value::Array(dags)) if dags.is_empty() => return None,
        Some(dags) => dags.as_array()?.iter().map(|dag| dag.as_str().map(str::to_owned)).collect::<Option<_>>()?,
    };
    GroupRole::new(group, table.get("role")?.as_str()?, dags)
}

/// Whether a text is a pattern over DAGs.
fn is_pattern(text: &str) -> bool {
    let part = text.strip_prefix("tag:").or_else(|| text.strip_suffix('*')).unwrap_or(text);
    (1..=256).contains(&part.len()) && !part.contains(|c: char| c == '*' || c.is_whitespace())
}

impl fmt::Display for GroupRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupRole { group, role, dags } = self;
        write!(f, "{group} = {role}")?;
        if dags.is_empty() { Ok(()) } else { write!(f, " of {}", dags.join(" ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_role_for_all_dags_or_some() {
        for text in ["ops = operator", "data team = viewer of team_a.*", "finance = admin of tag:finance daily"] {
            assert_eq!(text.parse::<GroupRole>().unwrap().to_string(), text);
        }
        let group: GroupRole = "ops=admin".parse().unwrap();
        assert_eq!((&*group.group, group.role, group.dags.len()), ("ops", "admin", 0));
        for text in ["", "ops", "= admin", "ops = root", "ops = viewer of *", "ops = viewer of ", "ops = viewer of a**"]
        {
            assert!(text.parse::<GroupRole>().is_err(), "{text}");
        }
    }
}
