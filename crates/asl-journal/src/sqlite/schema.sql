-- Version 1 of the database. Later versions are added as further migrations; this text never changes.

-- A definition, stored once however many executions run it.
CREATE TABLE definition (
    hash       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    text       TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE TABLE execution (
    id                INTEGER PRIMARY KEY,                     -- in the order they were created
    arn               TEXT NOT NULL UNIQUE,
    name              TEXT NOT NULL,
    state_machine     TEXT NOT NULL,                           -- its name
    state_machine_arn TEXT NOT NULL,
    definition        TEXT NOT NULL REFERENCES definition (hash),
    status            TEXT NOT NULL,                           -- RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
    started_ms        INTEGER NOT NULL,
    stopped_ms        INTEGER,
    error             TEXT,
    cause             TEXT
);
CREATE INDEX execution_name ON execution (name);
CREATE INDEX execution_state_machine ON execution (state_machine);
CREATE INDEX execution_status ON execution (status);

-- One row for each run of an execution, in the order of commits. Within an execution records and payloads are numbered
-- together: the record has `number`, its payloads the numbers after it, and the next record the one after those.
CREATE TABLE journal (
    position    INTEGER PRIMARY KEY,
    execution   INTEGER NOT NULL REFERENCES execution (id),
    number      INTEGER NOT NULL,
    first_event INTEGER NOT NULL,                              -- the event after it, if the record has none
    event_count INTEGER NOT NULL,
    body        TEXT NOT NULL,                                 -- {"now","steps","payloads","inputs","events"}
    checksum    INTEGER NOT NULL                               -- CRC-32 of number, first_event, event_count and body
);
CREATE UNIQUE INDEX journal_execution ON journal (execution, number);

-- The embedded services.
CREATE TABLE item (
    table_name TEXT NOT NULL,
    hash_key   TEXT NOT NULL,
    range_key  TEXT NOT NULL,
    body       TEXT NOT NULL,                                  -- {"id": {"S": "1"}, ...}
    PRIMARY KEY (table_name, hash_key, range_key)
);
CREATE TABLE message (
    position             INTEGER PRIMARY KEY AUTOINCREMENT,    -- never given twice
    queue                TEXT NOT NULL,
    id                   TEXT NOT NULL,
    group_id             TEXT,
    dedup_id             TEXT,
    body                 TEXT NOT NULL,
    attributes           TEXT NOT NULL,
    source               TEXT,
    sent_at_ms           INTEGER NOT NULL,
    visible_at_ms        INTEGER NOT NULL,
    first_received_at_ms INTEGER,
    receive_count        INTEGER NOT NULL,
    receipt              TEXT
);
CREATE INDEX message_queue ON message (queue);                 -- each index ends in the position
CREATE INDEX message_group ON message (queue, group_id) WHERE group_id IS NOT NULL;
CREATE TABLE dedup (
    scope      TEXT NOT NULL,
    id         TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
);
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

-- The history, one row an event, for whoever opens the file with a SQL client (SQLite 3.38 or newer).
CREATE VIEW history AS
WITH event AS (
    SELECT j.execution,
           j.first_event + e.key                            AS id,
           e.value ->> 0                                    AS previous,
           e.value -> 1                                     AS kind,
           coalesce(e.value ->> 2, j.body ->> '$.now')      AS at -- milliseconds, or ISO-8601 where it is finer
    FROM journal j, json_each(j.body, '$.events') e
),
tagged AS (
    SELECT *, CASE json_type(kind) WHEN 'text' THEN kind ->> '$' ELSE (SELECT key FROM json_each(kind)) END AS tag
    FROM event
),
named AS (
    -- `word` is the snake_case word that ends the type's name, `stem` what stands before it.
    SELECT *,
           CASE tag
               WHEN 'state_entered' THEN kind ->> '$.state_entered.state'
               WHEN 'state_exited' THEN kind ->> '$.state_exited.state'
               WHEN 'state_aborted' THEN kind ->> '$.state_aborted'
               WHEN 'task' THEN CASE kind ->> '$.task.family'
                   WHEN 'lambda' THEN 'LambdaFunction' WHEN 'activity' THEN 'Activity' ELSE 'Task' END
               ELSE ''
           END AS stem,
           CASE tag
               WHEN 'task' THEN (SELECT key FROM json_each(kind, '$.task.stage'))
               WHEN 'map_iteration' THEN tag || '_' || (kind ->> '$.map_iteration.stage')
               ELSE tag
           END AS word
    FROM tagged
)
SELECT x.name AS execution,
       n.id,
       n.previous,
       n.stem || (
           SELECT group_concat(upper(substr(value, 1, 1)) || substr(value, 2), '')
           FROM json_each('["' || replace(n.word, '_', '","') || '"]')
       ) AS type,
       CASE typeof(n.at)
           WHEN 'text' THEN n.at ELSE strftime('%Y-%m-%dT%H:%M:%fZ', n.at / 1000.0, 'unixepoch')
       END AS timestamp,
       (
           SELECT json_group_object(member, json(json_text)) FROM (
               SELECT CASE leaf.key
                          WHEN 'e' THEN 'error' WHEN 'c' THEN 'cause' WHEN 'at' THEN 'resource_or_region'
                          WHEN 'in' THEN 'parameters' WHEN 't' THEN 'timeout_seconds'
                          WHEN 'h' THEN 'heartbeat_seconds' WHEN 'r' THEN 'role_arn'
                          WHEN 'state_aborted' THEN 'state' ELSE leaf.key
                      END AS member,
                      CASE WHEN leaf.key IN ('input', 'output', 'in') THEN (
                          SELECT j.body -> ('$.payloads[' || (leaf.payload - j.number - 1) || ']')
                          FROM journal j
                          WHERE j.execution = n.execution AND j.number < leaf.payload
                          ORDER BY j.number DESC LIMIT 1
                      ) ELSE json_quote(leaf.value) END AS json_text
               FROM (
                   -- `payload` is the number in 7, "#7" or "$7".
                   SELECT key, value, CAST(ltrim(value, '#$' || char(9, 10, 13, 32)) AS INTEGER) AS payload
                   FROM json_tree(n.kind)
                   WHERE atom IS NOT NULL AND typeof(key) = 'text'
               ) leaf
               UNION ALL
               SELECT 'assigned', (
                   SELECT json_group_object(pair.value ->> 0, json((
                       SELECT j.body -> ('$.payloads[' || ((pair.value ->> 1) - j.number - 1) || ']')
                       FROM journal j
                       WHERE j.execution = n.execution AND j.number < (pair.value ->> 1)
                       ORDER BY j.number DESC LIMIT 1
                   )))
                   FROM json_each(n.kind, '$.state_exited.assigned') pair
               )
               WHERE json_type(n.kind, '$.state_exited.assigned') IS NOT NULL
           )
       ) AS details
FROM named n
JOIN execution x ON x.id = n.execution;
