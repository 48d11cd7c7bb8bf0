//! Rights to DAGs: what can be allowed, to whom, for which DAGs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::AccountError;
use crate::base::schema::Schema;

/// A right to a DAG and its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Right {
    /// To see the DAG, its runs and their tasks, and the parameters of the runs.
    View,
    /// To read the logs of tasks.
    ViewLogs,
    /// To read the values that tasks return, and the payloads of events.
    ViewValues,
    /// To start, clear, retry, cancel, release, pause and backfill.
    Operate,
    /// To set the state of tasks by hand.
    Mark,
    /// To emit events, which start runs of the DAG.
    Emit,
    /// To read who did what.
    Audit,
    /// To manage the DAG. For all DAGs: also users, tokens and the server.
    Admin,
}

impl Right {
    /// All rights.
    pub const ALL: [Right; 8] = [
        Right::View,
        Right::ViewLogs,
        Right::ViewValues,
        Right::Operate,
        Right::Mark,
        Right::Emit,
        Right::Audit,
        Right::Admin,
    ];

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Right::View => "view",
            Right::ViewLogs => "view_logs",
            Right::ViewValues => "view_values",
            Right::Operate => "operate",
            Right::Mark => "mark",
            Right::Emit => "emit",
            Right::Audit => "audit",
            Right::Admin => "admin",
        }
    }

    /// The least role that includes it.
    pub fn least_role(self) -> Role {
        Role::ALL.into_iter().find(|role| role.includes(self)).unwrap_or(Role::Admin)
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Reads runs and logs.
    Viewer,
    /// Also reads values, and starts and changes runs.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, from the least to the most rights.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    pub(crate) fn names() -> String {
        Role::ALL.map(Role::name).join(", ")
    }

    /// Whether it includes a right.
    pub fn includes(self, right: Right) -> bool {
        match self {
            Role::Viewer => matches!(right, Right::View | Right::ViewLogs),
            Role::Operator => {
                Role::Viewer.includes(right) || matches!(right, Right::ViewValues | Right::Operate | Right::Emit)
            }
            Role::Admin => true,
        }
    }
}

impl FromStr for Role {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let known = Role::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| AccountError::UnknownRole { role: text.to_owned() })
    }
}

/// The DAGs that a grant is for. No text means all of them, so no DAG can be called so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DagPattern {
    /// All DAGs, and what belongs to none.
    All,
    /// The DAG with this id.
    Id(String),
    /// The DAGs whose ids begin with this.
    Prefix(String),
    /// The DAGs with this tag. A DAG that the program does not have any more has no tags.
    Tag(String),
}

impl DagPattern {
    fn matches(&self, dag: &str, tags: &[&str]) -> bool {
        match self {
            DagPattern::All => true,
            DagPattern::Id(id) => id == dag,
            DagPattern::Prefix(prefix) => dag.starts_with(prefix.as_str()),
            DagPattern::Tag(tag) => tags.contains(&tag.as_str()),
        }
    }
}

impl FromStr for DagPattern {
    type Err = AccountError;

    /// Reads `delays`, `team_a.*` or `tag:finance`.
    fn from_str(text: &str) -> Result<Self, AccountError> {
        let invalid = || AccountError::InvalidPattern { pattern: text.to_owned() };
        let is_plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c == '*' || c.is_whitespace());
        let (pattern, part): (fn(String) -> DagPattern, &str) =
            match (text.strip_prefix("tag:"), text.strip_suffix('*')) {
                (Some(tag), _) => (DagPattern::Tag, tag),
                (None, Some(prefix)) => (DagPattern::Prefix, prefix),
                (None, None) => (DagPattern::Id, text),
            };
        if is_plain(part) && part.len() <= 256 { Ok(pattern(part.to_owned())) } else { Err(invalid()) }
    }
}

impl fmt::Display for DagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DagPattern::All => f.write_str("all DAGs"),
            DagPattern::Id(id) => f.write_str(id),
            DagPattern::Prefix(prefix) => write!(f, "{prefix}*"),
            DagPattern::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

/// A role for some DAGs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The DAGs.
    pub dags: DagPattern,
}

impl Grant {
    /// A grant of a role.
    pub fn new(role: Role, dags: DagPattern) -> Self {
        Grant { role, dags }
    }

    /// The role for each of these DAGs, or for all DAGs if none is named.
    ///
    /// # Errors
    ///
    /// When a text is not a pattern.
    pub fn of_role<'p>(role: Role, patterns: impl IntoIterator<Item = &'p str>) -> Result<Vec<Self>, AccountError> {
        let grants = patterns.into_iter().map(|text| Ok(Grant::new(role, text.parse()?)));
        let grants = grants.collect::<Result<Vec<_>, AccountError>>()?;
        Ok(if grants.is_empty() { vec![Grant::new(role, DagPattern::All)] } else { grants })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dags {
            DagPattern::All => f.write_str(self.role.name()),
            dags => write!(f, "{} of {dags}", self.role.name()),
        }
    }
}

/// What somebody may do: what each of several lists of grants allows. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    bounds: Vec<Vec<Grant>>,
}

impl Access {
    /// What these grants allow.
    pub fn of(grants: Vec<Grant>) -> Self {
        Access { bounds: vec![grants] }
    }

    /// Everything.
    pub fn all() -> Self {
        Access::of(vec![Grant::new(Role::Admin, DagPattern::All)])
    }

    /// What these grants allow too.
    #[must_use]
    pub fn within(mut self, grants: Vec<Grant>) -> Self {
        self.bounds.push(grants);
        self
    }

    /// Whether it includes a right to a DAG with these tags.
    pub fn may(&self, right: Right, dag: &str, tags: &[&str]) -> bool {
        self.decide(|grant| grant.role.includes(right) && grant.dags.matches(dag, tags))
    }

    /// Whether it includes a right to all DAGs, and to what belongs to none.
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.decide(|grant| grant.role.includes(right) && grant.dags == DagPattern::All)
    }

    /// The grants that bound it, the closest list last.
    pub fn bounds(&self) -> &[Vec<Grant>] {
        &self.bounds
    }

    fn decide(&self, allows: impl Fn(&Grant) -> bool) -> bool {
        !self.bounds.is_empty() && self.bounds.iter().all(|grants| grants.iter().any(&allows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_ids_beginnings_and_tags() {
        let may = |pattern: &str, dag: &str, tags: &[&str]| {
            Access::of(Grant::of_role(Role::Viewer, [pattern]).unwrap()).may(Right::View, dag, tags)
        };
        assert!(may("delays", "delays", &[]) && !may("delays", "delays2", &["delays"]));
        assert!(may("team_a.*", "team_a.load", &[]) && !may("team_a.*", "team_ab", &[]));
        assert!(may("tag:finance", "x", &["a", "finance"]) && !may("tag:finance", "finance", &[]));
    }

    #[test]
    fn no_name_of_a_dag_means_all() {
        for name in ["all", "DAGs", "All", "configs", "health", "metrics", "stream"] {
            let access = Access::of(Grant::of_role(Role::Admin, [name]).unwrap());
            assert!(access.may(Right::Admin, name, &[]));
            assert!(!access.may(Right::View, "other", &[]) && !access.may_everywhere(Right::View), "{name}");
        }
        for text in ["*", "", "tag:", "a*b", "tag:*", " ", "a b"] {
            assert!(text.parse::<DagPattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pattern_survives_its_text_and_its_json() {
        for text in ["delays", "team_a.*", "tag:finance"] {
            let pattern: DagPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), text);
            let json = serde_json::to_string(&pattern).unwrap();
            assert_eq!(serde_json::from_str::<DagPattern>(&json).unwrap(), pattern);
        }
    }

    #[test]
    fn every_bound_limits_access() {
        let nothing = Access::default();
        assert!(!nothing.may(Right::View, "a", &[]) && !nothing.may_everywhere(Right::View));
        let all = vec![Grant::new(Role::Admin, DagPattern::All)];
        let viewer = Grant::of_role(Role::Viewer, ["a"]).unwrap();
        let access = Access::of(viewer.clone()).within(all.clone());
        assert!(access.may(Right::View, "a", &[]) && !access.may(Right::View, "b", &[]));
        assert!(!access.may(Right::Operate, "a", &[]) && !access.may_everywhere(Right::View));
        assert!(!Access::of(all).within(Vec::new()).may(Right::View, "a", &[]));
    }

    #[test]
    fn roles_grow() {
        for right in Right::ALL {
            let roles = Role::ALL.map(|role| role.includes(right));
            assert!(roles.is_sorted(), "{}", right.name());
            assert!(right.least_role().includes(right));
        }
        assert_eq!(Right::Operate.least_role(), Role::Operator);
    }
}
