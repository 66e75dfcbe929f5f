-- Version 6: what the caller of StartExecution named beside the state machine: version, alias, revision, trace header. A JSON
-- object, or none where nothing was named. This text never changes.

ALTER TABLE execution ADD COLUMN started_as TEXT;
