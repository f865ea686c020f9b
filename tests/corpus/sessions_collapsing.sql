-- Web analytics: sessions whose state is cancelled and written anew.
-- change: ORDER BY (site_id, toDate(start), session_id, user_id)
-- change: PRIMARY KEY (site_id, toDate(start), session_id, user_id)
CREATE TABLE sessions
(
    `session_id` UInt64,
    `sign` Int8,
    `site_id` UInt32,
    `user_id` UInt64,
    `hostname` String CODEC(ZSTD(3)),
    `timestamp` DateTime CODEC(Delta(4), LZ4),
    `start` DateTime CODEC(Delta(4), LZ4),
    `is_bounce` UInt8,
    `entry_page` String CODEC(ZSTD(3)),
    `exit_page` String CODEC(ZSTD(3)),
    `pageviews` Int32,
    `duration` UInt32,
    `referrer_source` LowCardinality(String),
    `country_code` LowCardinality(FixedString(2)),
    `screen_size` Enum8('' = 0, 'mobile' = 1, 'tablet' = 2, 'desktop' = 3),
    `entry_meta` Nested(key String, value String) CODEC(ZSTD(3)),
    INDEX minmax_timestamp timestamp TYPE minmax GRANULARITY 1
)
ENGINE = CollapsingMergeTree(sign)
PARTITION BY toYYYYMM(start)
PRIMARY KEY (site_id, toDate(start), user_id)
ORDER BY (site_id, toDate(start), user_id, session_id)
SAMPLE BY user_id
SETTINGS index_granularity = 8192
