-- Schema 16. Payloads of deleted events.

-- Payloads in files that deleted events had, until the files are deleted, too. Events that have the
-- same payload may be there, or come: their file stays.
CREATE TABLE left_payloads (
    sha256 BLOB PRIMARY KEY,
    size INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
