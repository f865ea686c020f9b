-- Metrics: old points are rolled up by TTL.
-- change: ORDER BY (sensor, toStartOfDay(at), at)
-- change: PRIMARY KEY (sensor, toStartOfDay(at))
CREATE TABLE points
(
    `sensor` UInt32,
    `site` LowCardinality(String),
    `at` DateTime,
    `value` Float64,
    `peak` Float64 DEFAULT value
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
PRIMARY KEY (sensor, toStartOfDay(at))
ORDER BY (sensor, toStartOfDay(at), site, at)
TTL at + toIntervalYear(70) GROUP BY sensor, toStartOfDay(at) SET value = avg(value), peak = max(peak), at + toIntervalYear(95) RECOMPRESS CODEC(ZSTD(9)), at + toIntervalYear(99)
SETTINGS index_granularity = 8192
