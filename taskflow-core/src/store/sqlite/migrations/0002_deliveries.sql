-- Schema 2. What callbacks were told.

-- Runs that may have to tell callbacks something that they have not told yet.
CREATE TABLE owing (
    run_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The last try of each notice. `next` is the time of the next one; without it the notice was delivered, or, if there is an
-- error, given up.
CREATE TABLE deliveries (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    notice TEXT NOT NULL,
    callback TEXT NOT NULL,
    at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT,
    next INTEGER,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
