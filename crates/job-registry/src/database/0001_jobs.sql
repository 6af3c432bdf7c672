-- Jobs, their logs and the idempotency keys of their submissions. Times are milliseconds since 1970-01-01T00:00Z.
CREATE TABLE jobs (
    number         BIGINT PRIMARY KEY, -- the order of submission
    job_id         TEXT NOT NULL UNIQUE,
    kind           TEXT NOT NULL,
    state          TEXT NOT NULL,
    attempt        BIGINT NOT NULL,
    sequence       BIGINT NOT NULL,    -- of the newest event
    finished_at_ms BIGINT,
    job            TEXT NOT NULL       -- the whole job as JSON
);
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_finish ON jobs (finished_at_ms);

CREATE TABLE events (
    job_id   TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    name     TEXT NOT NULL,
    at_ms    BIGINT NOT NULL,
    body     TEXT NOT NULL,            -- the event's data as JSON
    PRIMARY KEY (job_id, sequence)
);

CREATE TABLE idempotency_keys (
    principal       TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request         TEXT NOT NULL,     -- the body it came with, as JSON
    job_id          TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    created_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (principal, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);

PRAGMA user_version = 1;
