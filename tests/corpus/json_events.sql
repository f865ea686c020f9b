-- Event lake: what the producer sent, as JSON with typed paths.
-- change: ORDER BY (kind, tenant, at)
CREATE TABLE json_events
(
    `tenant` UInt64,
    `kind` LowCardinality(String),
    `at` DateTime64(3),
    `payload` JSON(max_dynamic_paths = 16, number UInt32, SKIP secret),
    `raw` JSON,
    `number` UInt32 ALIAS payload.number
)
ENGINE = MergeTree
PARTITION BY toStartOfMonth(at)
ORDER BY (tenant, kind, at)
SETTINGS index_granularity = 8192
