-- Version 6: leases are judged by whoever watches them, answers to task tokens get a verdict, and tokens have a key.
-- This text never changes.

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
