-- Metrics: gauges with codecs made for them.
-- change: ORDER BY (service, metric, attributes, toUnixTimestamp64Milli(at))
CREATE TABLE metrics_gauge
(
    `service` LowCardinality(String),
    `metric` LowCardinality(String),
    `attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `at` DateTime64(3) CODEC(DoubleDelta, LZ4),
    `value` Float64 CODEC(Gorilla, ZSTD(1)),
    `count` UInt64 CODEC(T64, ZSTD(1)),
    `min` Float32 CODEC(FPC(12), ZSTD(1)),
    `flags` UInt32 CODEC(NONE),
    `exemplars` Nested(value Float64, span_id String) CODEC(ZSTD(1)),
    INDEX by_metric metric TYPE set(100) GRANULARITY 2
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (metric, service, attributes, toUnixTimestamp64Milli(at))
SETTINGS index_granularity = 4096, min_bytes_for_wide_part = 0, enable_mixed_granularity_parts = 1
