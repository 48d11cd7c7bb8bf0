//! Who is measured.

use ::taskflow::engine::Durability;

use super::job::Job;
use crate::shape::Shape;

/// Somebody who keeps what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// taskflow with its journal.
    Taskflow(Durability),
    /// SQLite: as many commits as the strict run had, of as many bytes.
    RawSegments,
    /// SQLite: a row a task, 500 rows a commit.
    RawRows,
    /// apalis-workflow with its SQLite.
    Apalis,
    /// Another program; see `outside`.
    Durare,
}

impl Contender {
    pub(super) const STRICT: Contender = Contender::Taskflow(Durability::Strict);

    /// In the order in which they take turns: what the first has written is what the raw ones write.
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

    /// What it is, for the page.
    pub(super) fn description(self) -> &'static str {
        match self {
            Contender::Taskflow(Durability::Strict) => "taskflow; a success is stored before what depends on it starts",
            Contender::Taskflow(Durability::Relaxed) => "taskflow; everything is stored soon, nobody waits",
            Contender::Taskflow(_) => "taskflow; nothing is stored",
            Contender::RawSegments => "sqlx alone: the segments of the strict run, one commit each",
            Contender::RawRows => "sqlx alone: a row a task, 500 rows an `INSERT` and a commit",
            Contender::Apalis => "apalis-workflow 1.0.0 with apalis-sqlite 1.0.0",
            Contender::Durare => "durare 0.5.0 with SQLite",
        }
    }

    pub(super) fn is_taskflow(self) -> bool {
        matches!(self, Contender::Taskflow(_))
    }

    /// Whether it can run the graph in a time that somebody would wait for.
    pub(super) fn takes(self, job: Job) -> bool {
        let chain = job.shape == Shape::Chain;
        match self {
            // A commit a task.
            Contender::Taskflow(Durability::Strict) | Contender::RawSegments if chain => job.n <= 10_000,
            Contender::Taskflow(_) | Contender::RawSegments | Contender::RawRows => true,
            // It finds the row of a step among all that its worker has had: with ten times the steps each costs far more.
            Contender::Apalis => job.n <= 1_000 && matches!(job.shape, Shape::Chain | Shape::Fan),
            Contender::Durare => job.n <= 10_000 && matches!(job.shape, Shape::Chain | Shape::Fan),
        }
    }
}
