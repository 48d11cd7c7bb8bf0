//! What changed, and which of it a stream wants.

use serde::Serialize;

use crate::ops::accounts::Right;
use crate::server::auth::{AssetRights, Visitor};
use crate::server::problem::Problem;

/// Something that changed. Small: who wants to know more reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "topic", rename_all = "lowercase")]
pub(in crate::server) enum Fact {
    /// A run: its state, one of its tasks, its owner.
    Run {
        run: i64,
        dag: String,
    },
    /// The schedule of a DAG, or what it has consumed.
    Dag {
        dag: String,
    },
    /// An asset has an event.
    Asset {
        asset: String,
        event: i64,
    },
    Backfill {
        backfill: i64,
    },
    /// Who holds the slots of a pool, or waits for them.
    Pool {
        pool: String,
    },
}

impl Fact {
    /// Whether somebody may know of it.
    pub(super) fn is_visible(&self, visitor: &Visitor) -> bool {
        if visitor.principal().may_everywhere(Right::View) {
            return true;
        }
        match self {
            Fact::Run { dag, .. } | Fact::Dag { dag } => visitor.may(Right::View, dag),
            Fact::Asset { asset, .. } => AssetRights::of(visitor).sees(asset),
            // They belong to any DAGs.
            Fact::Backfill { .. } | Fact::Pool { .. } => false,
        }
    }
}

/// What a stream wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Everything of a kind.
    All(Kind),
    /// One run.
    Run(i64),
    /// A DAG, and its runs.
    Dag(String),
    Asset(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Runs,
    Dags,
    Assets,
    Backfills,
    Pools,
}

const KINDS: [(&str, Kind); 5] = [
    ("runs", Kind::Runs),
    ("dags", Kind::Dags),
    ("assets", Kind::Assets),
    ("backfills", Kind::Backfills),
    ("pools", Kind::Pools),
];

impl Topic {
    /// All kinds.
    pub(super) fn all() -> Vec<Topic> {
        KINDS.iter().map(|&(_, kind)| Topic::All(kind)).collect()
    }

    pub(super) fn parse(text: &str) -> Result<Topic, Problem> {
        if let Some(&(_, kind)) = KINDS.iter().find(|(name, _)| *name == text) {
            return Ok(Topic::All(kind));
        }
        match text.split_once(':') {
            Some(("run", number)) if number.parse::<i64>().is_ok() => {
                Ok(Topic::Run(number.parse().unwrap_or_default()))
            }
            Some(("dag", dag)) if !dag.is_empty() => Ok(Topic::Dag(dag.to_owned())),
            Some(("asset", asset)) if !asset.is_empty() => Ok(Topic::Asset(asset.to_owned())),
            _ => {
                let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                let near = crate::base::did_you_mean(text, names.iter().copied());
                let problem = Problem::bad_request(format!("there is no topic `{text}`{near}")).at("topics");
                Err(problem.next(format!("topics are {}, run:4711, dag:ID and asset:ID", names.join(", "))))
            }
        }
    }

    pub(super) fn has(&self, fact: &Fact) -> bool {
        match (self, fact) {
            (Topic::All(Kind::Runs), Fact::Run { .. })
            | (Topic::All(Kind::Dags), Fact::Dag { .. })
            | (Topic::All(Kind::Assets), Fact::Asset { .. })
            | (Topic::All(Kind::Backfills), Fact::Backfill { .. })
            | (Topic::All(Kind::Pools), Fact::Pool { .. }) => true,
            (Topic::Run(wanted), Fact::Run { run, .. }) => wanted == run,
            (Topic::Dag(wanted), Fact::Run { dag, .. } | Fact::Dag { dag }) => wanted == dag,
            (Topic::Asset(wanted), Fact::Asset { asset, .. }) => wanted == asset,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_what_it_names() {
        let run = Fact::Run { run: 7, dag: "daily".to_owned() };
        for (topic, has) in [("runs", true), ("run:7", true), ("run:8", false), ("dag:daily", true), ("dags", false)] {
            assert_eq!(Topic::parse(topic).unwrap().has(&run), has, "{topic}");
        }
        assert_eq!(serde_json::to_string(&run).unwrap(), r#"{"topic":"run","run":7,"dag":"daily"}"#);
        for wrong in ["", "run:", "run:x", "dag:", "everything", "pools:1"] {
            assert!(Topic::parse(wrong).is_err(), "{wrong}");
        }
    }
}
