-- Schema 1. A store that has it is never written by other words than these: what changes comes in a file of its own.

PRAGMA application_id = 1952869495; -- "tflw"

-- Times are nanoseconds since 1970. What is asked for by name has a column of its own beside `info`, which is all of it.
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    dag_id TEXT NOT NULL,
    graph TEXT NOT NULL,
    state TEXT NOT NULL,
    trigger TEXT NOT NULL,
    logical_date INTEGER NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER,
    build TEXT NOT NULL,
    owner TEXT NOT NULL,
    token INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    info TEXT NOT NULL,
    counts TEXT NOT NULL,
    params BLOB NOT NULL
) STRICT;

-- `find` reads all of the first. The others hold what a filter asks for in the order of the answer, newest last.
CREATE UNIQUE INDEX runs_by_id ON runs (run_id);
CREATE INDEX runs_by_created ON runs (created, number);
CREATE INDEX runs_by_dag ON runs (dag_id, created, number, state);
CREATE INDEX runs_by_state ON runs (state, created, number, dag_id);
CREATE INDEX runs_by_graph ON runs (graph);

-- The id is run * 2^32 + number: the segments of a run lie side by side, in their order, without an index. The events come
-- first, so that they can be read without touching the pages of the data.
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    events BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE graphs (
    hash TEXT PRIMARY KEY,
    snapshot BLOB NOT NULL
) STRICT;

-- Graphs that a run had before the one it has: its older entries count tasks by them.
CREATE TABLE former_graphs (
    graph TEXT NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (graph, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_graphs_by_run ON former_graphs (run);

CREATE TABLE requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    what TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX requests_by_run ON requests (run);
