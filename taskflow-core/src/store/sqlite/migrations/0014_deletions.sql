-- Schema 14. Deletions in pieces.

-- Runs that were deleted, and whose segments are not all deleted yet. Each was in `runs`, and no
-- run gets its number again.
CREATE TABLE deletions (
    run INTEGER PRIMARY KEY
) STRICT;

-- Runs that were deleted, and whose values, logs and artifacts are not all deleted yet.
CREATE TABLE left_files (
    run_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
