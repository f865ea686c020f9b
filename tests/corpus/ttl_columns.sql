-- Sign-ups: personal data goes first, the row later.
-- change: ORDER BY (country, registered_at, user_id)
CREATE TABLE signups
(
    `user_id` UInt64,
    `registered_at` DateTime,
    `country` LowCardinality(String),
    `email` String TTL registered_at + toIntervalYear(90),
    `ip` Nullable(IPv6) TTL registered_at + toIntervalYear(80),
    `user_agent` String DEFAULT 'gone' CODEC(ZSTD(1)) TTL registered_at + toIntervalMonth(900)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(registered_at)
ORDER BY (user_id, registered_at)
TTL registered_at + toIntervalYear(99)
SETTINGS index_granularity = 8192, merge_with_ttl_timeout = 86400
