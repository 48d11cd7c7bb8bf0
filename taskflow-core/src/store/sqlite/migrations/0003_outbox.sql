-- Schema 3. Plain names, the run type apart from who triggered a run, and lists by logical date.

ALTER TABLE owing RENAME TO outbox;
ALTER TABLE deliveries RENAME COLUMN notice TO notification;

-- manual, scheduled, backfill, event or triggered. The JSON in `info` keeps the names that it was written with.
ALTER TABLE runs RENAME COLUMN trigger TO run_type;
UPDATE runs SET run_type = 'triggered' WHERE run_type = 'dag';

-- Earlier schemas let requests stay after the end of their run. They would take effect if the run were cleared.
DELETE FROM requests
WHERE run NOT IN (SELECT number FROM runs WHERE state NOT IN ('success', 'failed', 'cancelled'));

-- A run can be stored with the state `queued` and the token 0: no process has claimed it yet.
CREATE INDEX runs_by_date ON runs (logical_date, number, dag_id, state);
CREATE INDEX runs_by_dag_date ON runs (dag_id, logical_date, number, state);
