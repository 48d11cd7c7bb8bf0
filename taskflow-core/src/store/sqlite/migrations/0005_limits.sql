-- Schema 5. Limits over the processes of a store: active runs of a DAG, and slots of pools.

-- The owner with this token has asked whether the run may start. The ticket is the place of the run in the queue.
CREATE TABLE admissions (
    run INTEGER PRIMARY KEY,
    token INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    admitted INTEGER NOT NULL
) STRICT;
CREATE INDEX admissions_by_ticket ON admissions (ticket);

-- How many slots of a pool each process holds, and how many more it claims. The ticket is the place of its claim in the
-- queue; without a claim it is 0.
CREATE TABLE pool_leases (
    pool TEXT NOT NULL,
    holder TEXT NOT NULL,
    held INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    PRIMARY KEY (pool, holder)
) STRICT, WITHOUT ROWID;
