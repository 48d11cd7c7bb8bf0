-- Schema 7. Backfills.

-- The plans. They stay when they are done, and when their runs are deleted.
CREATE TABLE backfills (
    number INTEGER PRIMARY KEY,
    dag TEXT NOT NULL,
    version INTEGER NOT NULL,
    open INTEGER NOT NULL,
    plan TEXT NOT NULL,
    updated INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX backfills_by_open ON backfills (open, dag, number);

-- The runs that slots have.
CREATE INDEX runs_by_logical_date ON runs (dag_id, logical_date, number);

-- Whether the run counts among those of backfills, or among all others.
ALTER TABLE admissions ADD COLUMN backfill INTEGER NOT NULL DEFAULT 0;
