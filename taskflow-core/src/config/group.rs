//! Roles of groups, such as `finance = viewer of tag:finance`.

use std::fmt;
use std::str::FromStr;

const ROLES: [&str; 3] = ["viewer", "operator", "admin"];

/// What the members of a group may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    group: String,
    role: &'static str,
    dags: Option<String>,
}

impl GroupRole {
    /// The name of the group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// `viewer`, `operator` or `admin`.
    pub fn role(&self) -> &'static str {
        self.role
    }

    /// The DAGs that the role is for: an id, the beginning of ids, or a tag. `None`: all DAGs.
    pub fn dags(&self) -> Option<&str> {
        self.dags.as_deref()
    }
}

impl FromStr for GroupRole {
    type Err = ();

    /// Reads `ops = operator`, or `finance = viewer of tag:finance`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (group, grant) = text.split_once('=').ok_or(())?;
        let (role, dags) = match grant.trim().split_once(" of ") {
            Some((role, dags)) => (role.trim(), Some(dags.trim())),
            None => (grant.trim(), None),
        };
        let role = ROLES.into_iter().find(|known| *known == role).ok_or(())?;
        let group = group.trim();
        if group.is_empty() || !dags.is_none_or(is_pattern) {
            return Err(());
        }
        Ok(GroupRole { group: group.to_owned(), role, dags: dags.map(str::to_owned) })
    }
}

/// Whether a text is a pattern over DAGs.
fn is_pattern(text: &str) -> bool {
    let part = text.strip_prefix("tag:").or_else(|| text.strip_suffix('*')).unwrap_or(text);
    (1..=256).contains(&part.len()) && !part.contains(|c: char| c == '*' || c.is_whitespace())
}

impl fmt::Display for GroupRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.group, self.role)?;
        self.dags.as_ref().map_or(Ok(()), |dags| write!(f, " of {dags}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_role_for_all_dags_or_some() {
        for text in ["ops = operator", "data team = viewer of team_a.*", "finance = admin of tag:finance"] {
            assert_eq!(text.parse::<GroupRole>().unwrap().to_string(), text);
        }
        let group: GroupRole = "ops=admin".parse().unwrap();
        assert_eq!((group.group(), group.role(), group.dags()), ("ops", "admin", None));
        for text in ["", "ops", "= admin", "ops = root", "ops = viewer of *", "ops = viewer of ", "ops = viewer of a b"]
        {
            assert!(text.parse::<GroupRole>().is_err(), "{text}");
        }
    }
}
