-- Version 5: executions that end the processes that run them or that nobody can read; leases that are judged by whoever watches
-- them; answers to task tokens, which get a verdict, and the keys of tokens. This text never changes.

-- How often an owner of the execution died since its last record, as far as the execution may be to blame.
ALTER TABLE latest ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;

-- The executions that this worker has on trial, if it dies they are to blame: a list of numbers, JSON.
ALTER TABLE worker ADD COLUMN trial TEXT;

-- Why nobody runs the execution, though it is open: its owner is -1 then. None: somebody does, or may.
ALTER TABLE execution ADD COLUMN set_aside TEXT;

-- From when on it is tried again; epoch milliseconds. None where it is not set aside.
ALTER TABLE execution ADD COLUMN again_ms INTEGER;

-- 1: it was stopped without its records being read, so that they do not tell how it ended.
ALTER TABLE execution ADD COLUMN unread_end INTEGER NOT NULL DEFAULT 0;

-- How long its silence may last. `lease_until_ms` is a beat: it changes with every renewal, and nobody reads a time in it.
ALTER TABLE worker ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 30000;

-- The key of its task tokens, as in its first record; none for executions that began before there were keys.
ALTER TABLE execution ADD COLUMN token_key BLOB;

-- What became of an input of the inbox, for the process that sent it: 1, a record has it; 0, it had no place any more. The
-- last ones are kept.
CREATE TABLE verdict (
    mail  INTEGER PRIMARY KEY,
    taken INTEGER NOT NULL
);
-- Whatever takes an input out of the inbox without having recorded it, has refused it.
CREATE TRIGGER inbox_refused AFTER DELETE ON inbox BEGIN
    INSERT OR IGNORE INTO verdict (mail, taken) VALUES (OLD.id, 0);
END;
