-- Schema 10. Deadlines of slots.

-- Up to when the deadlines of the slots of each DAG are judged, and which missed ones its callback
-- has yet to be notified of.
CREATE TABLE slot_deadlines (
    dag TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    updated INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
