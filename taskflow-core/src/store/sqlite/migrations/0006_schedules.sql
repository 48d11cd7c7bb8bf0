-- Schema 6. Schedules.

-- Which slots of a DAG are decided. Apart from the runs: deleting runs brings no slot back.
CREATE TABLE schedules (
    dag TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    updated INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Slots that became no runs, several in a row where they share their fate.
CREATE TABLE slots (
    number INTEGER PRIMARY KEY,
    dag TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    fate TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX slots_by_dag ON slots (dag, last);
