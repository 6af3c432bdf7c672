-- Crashes are counted, jobs are counted for metrics, and jobs that ended long ago go with all that is theirs.

-- Crashes of the hive while the job ran, since the last byte that it received.
ALTER TABLE jobs ADD COLUMN crashes BIGINT NOT NULL DEFAULT 0;

DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state_and_kind ON jobs (state, kind);
DROP INDEX jobs_by_finish;
CREATE INDEX jobs_by_finish ON jobs (finished_at_ms, number);
CREATE INDEX idempotency_keys_by_job ON idempotency_keys (job_id);

-- The last number that was given to a job: when the job is gone, no other one gets its number.
CREATE TABLE job_numbers (last BIGINT NOT NULL);
INSERT INTO job_numbers SELECT COALESCE(MAX(number), 0) FROM jobs;

PRAGMA user_version = 2;
