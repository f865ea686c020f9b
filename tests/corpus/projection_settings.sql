-- Heartbeats: newer kinds of projections.
-- change: ORDER BY (monitor, region, at)
CREATE TABLE heartbeats
(
    `monitor` UInt64,
    `region` LowCardinality(String),
    `at` DateTime,
    `latency_ms` UInt32,
    `up` Bool,
    PROJECTION by_time INDEX at TYPE basic,
    PROJECTION offsets
    (
        SELECT _part_offset
        ORDER BY region
    ),
    PROJECTION fine
    (
        SELECT monitor, at
        ORDER BY at
    ) WITH SETTINGS (index_granularity = 128),
    PROJECTION worst
    (
        SELECT monitor, max(latency_ms), countIf(NOT up)
        GROUP BY monitor
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (region, monitor, at)
SETTINGS index_granularity = 8192
