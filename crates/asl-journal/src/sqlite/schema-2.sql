-- Version 2: who runs which execution, and what others have to say to it. This text never changes.

-- A process that runs executions.
CREATE TABLE worker (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,          -- never given twice: it is the fencing token
    what           TEXT NOT NULL,                              -- the command, for people
    process        INTEGER NOT NULL,
    lock           TEXT,                                       -- a file beside the database, locked while the process lives
    lease_until_ms INTEGER NOT NULL,
    gone           INTEGER NOT NULL DEFAULT 0                  -- 1: it writes nothing any more, others take its executions
);

-- The worker that runs it; none, or one that is gone: whoever comes first takes it.
ALTER TABLE execution ADD COLUMN owner INTEGER;
CREATE INDEX execution_open ON execution (owner) WHERE status = 'RUNNING';

-- Inputs for executions from processes that do not run them. The owner takes them in and deletes them in the transaction
-- that records them.
CREATE TABLE inbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    execution INTEGER NOT NULL REFERENCES execution (id),
    input     TEXT NOT NULL,                                   -- as in the journal; 0 stands for the payload
    payload   TEXT,
    sent_ms   INTEGER NOT NULL
);
CREATE INDEX inbox_execution ON inbox (execution);
