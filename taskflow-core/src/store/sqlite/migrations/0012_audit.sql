-- Schema 12. Who has changed what.

-- One row for each change that somebody asked for, also for one that was refused. Rows outlive what
-- they are about, so they name runs by id and by number. Only pruning by age deletes rows.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    peer TEXT,
    request TEXT,
    action TEXT NOT NULL,
    dag TEXT,
    run_id TEXT,
    run INTEGER,
    task TEXT,
    backfill INTEGER,
    asset TEXT,
    reason TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    token TEXT,
    outcome TEXT NOT NULL,
    error TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor);
CREATE INDEX audit_by_action ON audit (action);
CREATE INDEX audit_by_dag ON audit (dag) WHERE dag IS NOT NULL;
CREATE INDEX audit_by_run ON audit (run_id) WHERE run_id IS NOT NULL;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'a row of the audit trail never changes');
END;
