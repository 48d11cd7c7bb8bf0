//! The contenders.

use ::taskflow::engine::Durability;

use super::job::Job;
use crate::shape::Shape;

/// A system that stores what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// taskflow with its journal.
    Taskflow(Durability),
    /// SQLite: as many commits as the strict run, with as many bytes.
    RawSegments,
    /// SQLite: one row per task, 500 rows per commit.
    RawRows,
    /// apalis-workflow with its SQLite.
    Apalis,
    /// Another program. See `outside`.
    Durare,
}

impl Contender {
    pub(super) const STRICT: Contender = Contender::Taskflow(Durability::Strict);

    /// In measuring order: the raw contenders write as much as the first one has written.
    pub(super) const ALL: [Contender; 7] = [
        Contender::STRICT,
        Contender::Taskflow(Durability::Relaxed),
        Contender::Taskflow(Durability::Ephemeral),
        Contender::RawSegments,
        Contender::RawRows,
        Contender::Apalis,
        Contender::Durare,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Contender::Taskflow(durability) => durability.name(),
            Contender::RawSegments => "raw-segments",
            Contender::RawRows => "raw-rows",
            Contender::Apalis => "apalis",
            Contender::Durare => "durare",
        }
    }

    /// The description for the report.
    pub(super) fn description(self) -> &'static str {
        match self {
            Contender::Taskflow(Durability::Strict) => "taskflow; a success is stored before its dependents start",
            Contender::Taskflow(Durability::Relaxed) => {
                "taskflow; everything is stored soon, and dependents do not wait"
            }
            Contender::Taskflow(_) => "taskflow; nothing is stored",
            Contender::RawSegments => "sqlx alone: the segments of the strict run, one commit each",
            Contender::RawRows => "sqlx alone: one row per task, 500 rows per `INSERT` and commit",
            Contender::Apalis => "apalis-workflow 1.0.0 with apalis-sqlite 1.0.0",
            Contender::Durare => "durare 0.5.0 with SQLite",
        }
    }

    pub(super) fn is_taskflow(self) -> bool {
        matches!(self, Contender::Taskflow(_))
    }

    /// Whether it can run the graph in reasonable time.
    pub(super) fn takes(self, job: Job) -> bool {
        let chain = job.shape == Shape::Chain;
        match self {
            // One commit per task.
            Contender::Taskflow(Durability::Strict) | Contender::RawSegments if chain => job.n <= 10_000,
            Contender::Taskflow(_) | Contender::RawSegments | Contender::RawRows => true,
            // It searches for the row of a step among all rows of its worker, so the cost per step
            // grows with their number.
            Contender::Apalis => job.n <= 1_000 && matches!(job.shape, Shape::Chain | Shape::Fan),
            Contender::Durare => job.n <= 10_000 && matches!(job.shape, Shape::Chain | Shape::Fan),
        }
    }
}
