-- Schema 9. Events of assets, and who has consumed them.

-- The numbers of events only grow, also after events were deleted. A payload that is not in the row
-- is in a file. Events outlive the runs that emitted them, so they name runs by id.
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    asset TEXT NOT NULL,
    partition TEXT,
    key TEXT,
    ty TEXT NOT NULL,
    value BLOB,
    sha256 BLOB NOT NULL,
    size INTEGER NOT NULL,
    emitted INTEGER NOT NULL,
    run TEXT,
    task TEXT,
    emitted_by TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_asset ON events (asset);
CREATE INDEX events_by_partition ON events (asset, partition);
CREATE UNIQUE INDEX events_by_key ON events (asset, key) WHERE key IS NOT NULL;
CREATE INDEX events_by_run ON events (run) WHERE run IS NOT NULL;

-- Up to which event each DAG has consumed its assets.
CREATE TABLE consumers (
    dag TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    updated INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far the events of sources outside are stored.
CREATE TABLE watch_cursors (
    source TEXT PRIMARY KEY,
    cursor TEXT NOT NULL,
    updated INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
