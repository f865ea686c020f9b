-- Clicks with a sample, as old web analytics had it.
-- change: ORDER BY (toDate(at), counter, intHash32(visitor), at)
CREATE TABLE hits
(
    `counter` UInt32,
    `at` DateTime,
    `visitor` UInt64,
    `url` String,
    `params` Nested(Key1 String, Key2 String, Value Int64),
    `goals` Array(UInt32),
    INDEX url_set url TYPE set(1000) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (counter, toDate(at), intHash32(visitor), at)
SAMPLE BY intHash32(visitor)
SETTINGS index_granularity = 8192
