-- Version 4: the records of an execution are a chain. Each has the position of the one before it, and `latest` has the
-- position of the last. An index of all records by their execution would do the same; but the entries of many executions that
-- are open at once lie far apart in it, and each commit would write as many pages for them as for the records themselves.
-- This text never changes.

DROP VIEW history;

CREATE TABLE record (
    position    INTEGER PRIMARY KEY,
    execution   INTEGER NOT NULL REFERENCES execution (id),
    previous    INTEGER,                                       -- the position of the execution's record before it
    number      INTEGER NOT NULL,
    first_event INTEGER NOT NULL,                              -- the event after it, if the record has none
    event_count INTEGER NOT NULL,
    checksum    INTEGER NOT NULL,                              -- CRC-32 of number, first_event, event_count and body
    body        TEXT NOT NULL                                  -- {"now","steps","payloads","inputs","events"}
);
INSERT INTO record
SELECT position, execution, lag(position) OVER (PARTITION BY execution ORDER BY number), number, first_event, event_count,
       checksum, body
FROM journal ORDER BY position;
DROP TABLE journal;
ALTER TABLE record RENAME TO journal;

-- The last record of each execution.
CREATE TABLE latest (
    execution INTEGER PRIMARY KEY REFERENCES execution (id),
    position  INTEGER NOT NULL,
    number    INTEGER NOT NULL                                 -- as in the record at that position
);
INSERT INTO latest SELECT execution, position, max(number) FROM journal GROUP BY execution;

-- Those that run are in `execution_open`: a start need not write both.
DROP INDEX execution_status;
CREATE INDEX execution_ended ON execution (status) WHERE status <> 'RUNNING';

-- The history, one row an event, for whoever opens the file with a SQL client (SQLite 3.38 or newer).
CREATE VIEW history AS
WITH record AS (
    SELECT x.name, j.*
    FROM execution x,
         json_each((
             WITH RECURSIVE chain (position) AS (
                 SELECT position FROM latest WHERE execution = x.id
                 UNION ALL
                 SELECT j.previous FROM chain c CROSS JOIN journal j ON j.position = c.position
                 WHERE j.previous < j.position
             )
             SELECT json_group_array(position) FROM (SELECT position FROM chain ORDER BY position)
         )) place
    CROSS JOIN journal j ON j.position = place.value
),
event AS (
    SELECT r.name, r.position, r.number,
           r.first_event + e.key                            AS id,
           e.value ->> 0                                    AS previous,
           e.value -> 1                                     AS kind,
           coalesce(e.value ->> 2, r.body ->> '$.now')      AS at -- milliseconds, or ISO-8601 where it is finer
    FROM record r, json_each(r.body, '$.events') e
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
SELECT n.name AS execution,
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
                          -- The record that has the payload: this one, or one before it.
                          WITH RECURSIVE back (position, previous, number) AS (
                              SELECT position, previous, number FROM journal WHERE position = n.position
                              UNION ALL
                              SELECT j.position, j.previous, j.number FROM back b CROSS JOIN journal j ON j.position = b.previous
                              WHERE b.number >= leaf.payload
                          )
                          SELECT j.body -> ('$.payloads[' || (leaf.payload - j.number - 1) || ']')
                          FROM back b CROSS JOIN journal j ON j.position = b.position WHERE b.number < leaf.payload LIMIT 1
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
                       WITH RECURSIVE back (position, previous, number) AS (
                           SELECT position, previous, number FROM journal WHERE position = n.position
                           UNION ALL
                           SELECT j.position, j.previous, j.number FROM back b CROSS JOIN journal j ON j.position = b.previous
                           WHERE b.number >= pair.value ->> 1
                       )
                       SELECT j.body -> ('$.payloads[' || ((pair.value ->> 1) - j.number - 1) || ']')
                       FROM back b CROSS JOIN journal j ON j.position = b.position WHERE b.number < pair.value ->> 1 LIMIT 1
                   )))
                   FROM json_each(n.kind, '$.state_exited.assigned') pair
               )
               WHERE json_type(n.kind, '$.state_exited.assigned') IS NOT NULL
           )
       ) AS details
FROM named n;
