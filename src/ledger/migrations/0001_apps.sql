-- Accounts, their apps, what operators have set for an app by calls, and who called.
--
-- Instants are milliseconds since 1970. NULL is "not chosen", "not known to come", "no end", "not set". `sum` is a checksum of
-- the row's other columns: SQLite has none of its own. Of each file here, `user_version` is the number.

PRAGMA application_id = 1363627079;
PRAGMA user_version = 1;

CREATE TABLE accounts (
    account TEXT PRIMARY KEY NOT NULL,
    created_at INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    sdk_app_id INTEGER PRIMARY KEY NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (account),
    created_at INTEGER NOT NULL,
    edition TEXT NOT NULL,
    av_chat_rooms_unlimited INTEGER NOT NULL,
    group_members INTEGER,
    joined_groups INTEGER,
    suspended_from INTEGER,
    repossessed_from INTEGER,
    disabled_from INTEGER,
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE overrides (
    sdk_app_id INTEGER NOT NULL REFERENCES apps (sdk_app_id),
    limit_name TEXT NOT NULL,
    bound TEXT,
    enforcement TEXT,
    reason TEXT NOT NULL,
    expires_at INTEGER,
    sum INTEGER NOT NULL,
    PRIMARY KEY (sdk_app_id, limit_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    peer TEXT NOT NULL,
    call TEXT NOT NULL,
    sdk_app_id INTEGER,
    before TEXT,
    after TEXT,
    outcome TEXT NOT NULL,
    sum INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_of_app ON audit (sdk_app_id, sequence);

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
