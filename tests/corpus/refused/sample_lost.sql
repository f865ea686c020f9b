-- The sampling expression must stay in the primary key.
-- change: ORDER BY (counter, at)
-- expect: exit 1 Sampling expression must be present in the primary key
CREATE TABLE hits
(
    `counter` UInt64,
    `at` DateTime,
    `visitor` UInt64
)
ENGINE = MergeTree
ORDER BY (counter, intHash32(visitor), at)
SAMPLE BY intHash32(visitor)
SETTINGS index_granularity = 8192
