-- Traces whose old parts move, as far as the server's policy has somewhere to move them.
-- change: ORDER BY (trace_id, at)
CREATE TABLE spans
(
    `trace_id` FixedString(16),
    `span_id` FixedString(8),
    `at` DateTime64(6),
    `duration_us` UInt32 CODEC(T64, LZ4),
    `tags` Map(String, String),
    `day` Date MATERIALIZED toDate(at)
)
ENGINE = MergeTree
PARTITION BY day
ORDER BY (at, trace_id)
TTL day + toIntervalDay(30) TO DISK 'default', day + toIntervalDay(90) TO VOLUME 'default', day + toIntervalYear(90), day + toIntervalYear(80) WHERE duration_us < 10
SETTINGS index_granularity = 8192, storage_policy = 'default', ttl_only_drop_parts = 0
