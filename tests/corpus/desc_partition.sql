-- Chat, newest first: only the partition key changes, and the directions stay.
-- change: PARTITION BY toYYYYMM(sent)
CREATE TABLE messages
(
    `room` UInt32,
    `sent` DateTime,
    `id` UInt64,
    `text` String
)
ENGINE = MergeTree
ORDER BY (room, sent DESC, id DESC)
SETTINGS index_granularity = 8192
