-- A landing table without any key gets one.
-- change: ORDER BY (source, received)
-- change: PARTITION BY toYYYYMM(received)
CREATE TABLE landing
(
    `received` DateTime DEFAULT '2024-02-02 02:02:02',
    `source` String,
    `line` String CODEC(ZSTD(9))
)
ENGINE = MergeTree
ORDER BY tuple()
SETTINGS index_granularity = 8192
