-- Version 3: redrive. An execution that ended goes on, and its row says how often that happened, and when last.

ALTER TABLE execution ADD COLUMN redrive_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE execution ADD COLUMN redriven_ms INTEGER;
