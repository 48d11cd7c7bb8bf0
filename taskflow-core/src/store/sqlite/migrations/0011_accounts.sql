-- Schema 11. Users, sessions and tokens.

-- `secret` is the digest of what a browser or a client presents; users have none. `owner` is the
-- user that a session or a token belongs to, or empty.
CREATE TABLE accounts (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    used INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX accounts_by_secret ON accounts (secret) WHERE secret IS NOT NULL;
CREATE INDEX accounts_by_owner ON accounts (owner, kind);
