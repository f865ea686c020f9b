-- Audit trail, newest first by one column alone.
-- change: ORDER BY (actor, at DESC)
CREATE TABLE audit
(
    `at` DateTime64(6, 'UTC'),
    `actor` UUID,
    `action` LowCardinality(String),
    `before` Nullable(String),
    `after` Nullable(String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY at DESC
SETTINGS index_granularity = 8192
