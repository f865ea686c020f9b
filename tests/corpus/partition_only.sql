-- Access log, cut up by month: days were too many parts.
-- change: PARTITION BY toYYYYMM(at)
CREATE TABLE access_log
(
    `at` DateTime CODEC(DoubleDelta),
    `client` IPv4,
    `peer` IPv6,
    `status` Enum16('ok' = 200, 'not found' = 404, 'broken, (badly)' = 500),
    `bytes` UInt64 CODEC(T64('bit'), LZ4),
    `method` Enum8('GET' = 1, 'POST' = 2),
    `tls` Bool
)
ENGINE = MergeTree
PARTITION BY toDate(at)
ORDER BY (status, at)
SETTINGS index_granularity = 8192
