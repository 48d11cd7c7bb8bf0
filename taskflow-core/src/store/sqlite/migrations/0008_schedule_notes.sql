-- Schema 8. The history of schedules: pauses, changed timetables, clocks that went back.

CREATE TABLE schedule_notes (
    number INTEGER PRIMARY KEY,
    dag TEXT NOT NULL,
    at INTEGER NOT NULL,
    note TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX schedule_notes_by_dag ON schedule_notes (dag, at);
