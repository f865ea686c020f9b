-- A feed, newest first: the key has directions.
-- change: ORDER BY (feed, author, posted_at DESC, id)
CREATE TABLE feed_items
(
    `feed` UInt32,
    `posted_at` DateTime64(3),
    `id` UInt64,
    `author` UInt64,
    `text` String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(posted_at)
ORDER BY (feed, posted_at DESC, id)
SETTINGS index_granularity = 8192
