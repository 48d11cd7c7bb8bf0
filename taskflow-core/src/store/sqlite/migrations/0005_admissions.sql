-- Schema 5. Which runs of DAGs with `max_active_runs` are active, and which wait.

-- The owner with this token has asked whether the run may start. The ticket is the place of the run in the queue.
CREATE TABLE admissions (
    run INTEGER PRIMARY KEY,
    token INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    admitted INTEGER NOT NULL
) STRICT;
CREATE INDEX admissions_by_ticket ON admissions (ticket);
