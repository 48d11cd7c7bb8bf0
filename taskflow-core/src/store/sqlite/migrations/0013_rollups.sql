-- Schema 13. Rollups: what is derived from the segments of a run.

-- `segments` is the number of the last segment that a rollup covers. It is outdated if the run has
-- more.
CREATE TABLE rollups (
    run INTEGER PRIMARY KEY,
    segments INTEGER NOT NULL,
    body BLOB NOT NULL,
    labels BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    labels_checksum INTEGER NOT NULL
) STRICT;
CREATE TRIGGER run_without_rollup AFTER DELETE ON runs BEGIN
    DELETE FROM rollups WHERE run = OLD.number;
END;
