-- Schema 15. Events whose payloads are in files.

-- Several events can have the same file. It is deleted with the last of them.
CREATE INDEX events_by_file ON events (sha256) WHERE value IS NULL;
