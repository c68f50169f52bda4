-- What happened to apps and accounts, the closes of months with the usage that they saw, bills, and how far subscribers are.
--
-- Days and months are text like 2026-03-01 and 2026-03, in the deployment's zone; instants as before. Money and quantities are
-- millionths of their unit. Nothing here is ever rewritten, but that a close is finished once, and what subscribers say.
-- From here on a row of `apps` is its creation: what has changed since stands in `events`.

PRAGMA user_version = 2;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    account TEXT REFERENCES accounts (account),
    sdk_app_id INTEGER REFERENCES apps (sdk_app_id),
    edition TEXT,
    carried TEXT,
    chosen TEXT,
    bought TEXT,
    activates INTEGER,
    by_operator INTEGER,
    amount INTEGER,
    day TEXT,
    month TEXT,
    note TEXT,
    reference TEXT,
    sum INTEGER NOT NULL
) STRICT;

CREATE INDEX events_of_account ON events (account, sequence) WHERE account IS NOT NULL;
CREATE UNIQUE INDEX events_by_reference ON events (account, reference) WHERE reference IS NOT NULL;
CREATE UNIQUE INDEX events_of_month ON events (month) WHERE month IS NOT NULL;

-- `at` is when the month was over, `frozen_at` when its usage was written down, `finished_at` when its bills were; `days` is how
-- many rows of usage there are.
CREATE TABLE closes (
    month TEXT PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL,
    frozen_at INTEGER NOT NULL,
    days INTEGER NOT NULL,
    finished_at INTEGER,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Usage as a close saw it: every day of the month, and days of earlier months that late usage has raised since. Of users the
-- number billed; where it is an estimate, that and its upper bound too.
CREATE TABLE billed_usage (
    closed_month TEXT NOT NULL REFERENCES closes (month),
    sdk_app_id INTEGER NOT NULL REFERENCES apps (sdk_app_id),
    day TEXT NOT NULL,
    dau INTEGER NOT NULL,
    dau_estimate INTEGER,
    dau_upper INTEGER,
    groups INTEGER NOT NULL,
    av_chat_rooms INTEGER NOT NULL,
    bandwidth_bps INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (closed_month, sdk_app_id, day)
) STRICT, WITHOUT ROWID;

-- One for each account and month; `pushed` is NULL for those of nothing. `line_count` and `free_count` are how many rows of the
-- next two tables belong to it.
CREATE TABLE bills (
    month TEXT NOT NULL REFERENCES closes (month),
    account TEXT NOT NULL REFERENCES accounts (account),
    pushed TEXT,
    total INTEGER NOT NULL,
    line_count INTEGER NOT NULL,
    free_count INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (month, account)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX bills_of_account ON bills (account, month);

CREATE TABLE bill_lines (
    month TEXT NOT NULL,
    account TEXT NOT NULL,
    number INTEGER NOT NULL,
    sdk_app_id INTEGER NOT NULL REFERENCES apps (sdk_app_id),
    item TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    basis TEXT NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (month, account, number),
    FOREIGN KEY (month, account) REFERENCES bills (month, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE bill_free (
    month TEXT NOT NULL,
    account TEXT NOT NULL,
    number INTEGER NOT NULL,
    sdk_app_id INTEGER NOT NULL REFERENCES apps (sdk_app_id),
    item TEXT NOT NULL,
    why TEXT NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (month, account, number),
    FOREIGN KEY (month, account) REFERENCES bills (month, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscribers (
    name TEXT PRIMARY KEY NOT NULL,
    token TEXT NOT NULL,
    acknowledged_at INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX subscribers_by_age ON subscribers (acknowledged_at);

CREATE TRIGGER events_never_change BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'events are only added to');
END;
CREATE TRIGGER events_never_shrink BEFORE DELETE ON events BEGIN
    SELECT RAISE(ABORT, 'events are only added to');
END;
CREATE TRIGGER closes_finish_once BEFORE UPDATE ON closes
WHEN OLD.finished_at IS NOT NULL OR NEW.finished_at IS NULL
    OR (NEW.month, NEW.at, NEW.frozen_at, NEW.days) IS NOT (OLD.month, OLD.at, OLD.frozen_at, OLD.days)
BEGIN
    SELECT RAISE(ABORT, 'a close is finished once, and nothing else of it changes');
END;
CREATE TRIGGER closes_never_shrink BEFORE DELETE ON closes BEGIN
    SELECT RAISE(ABORT, 'closes are only added to');
END;
CREATE TRIGGER billed_usage_never_changes BEFORE UPDATE ON billed_usage BEGIN
    SELECT RAISE(ABORT, 'usage as billed is only added to');
END;
CREATE TRIGGER billed_usage_never_shrinks BEFORE DELETE ON billed_usage BEGIN
    SELECT RAISE(ABORT, 'usage as billed is only added to');
END;
CREATE TRIGGER bills_never_change BEFORE UPDATE ON bills BEGIN
    SELECT RAISE(ABORT, 'bills never change');
END;
CREATE TRIGGER bills_never_shrink BEFORE DELETE ON bills BEGIN
    SELECT RAISE(ABORT, 'bills never change');
END;
CREATE TRIGGER bill_lines_never_change BEFORE UPDATE ON bill_lines BEGIN
    SELECT RAISE(ABORT, 'bills never change');
END;
CREATE TRIGGER bill_lines_never_shrink BEFORE DELETE ON bill_lines BEGIN
    SELECT RAISE(ABORT, 'bills never change');
END;
CREATE TRIGGER bill_free_never_changes BEFORE UPDATE ON bill_free BEGIN
    SELECT RAISE(ABORT, 'bills never change');
END;
CREATE TRIGGER bill_free_never_shrinks BEFORE DELETE ON bill_free BEGIN
    SELECT RAISE(ABORT, 'bills never change');
END;
