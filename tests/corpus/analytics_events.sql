-- Product analytics: raw events of one team after another.
-- change: ORDER BY (team_id, event, toDate(timestamp), cityHash64(distinct_id), cityHash64(uuid))
CREATE TABLE events
(
    `uuid` UUID,
    `event` LowCardinality(String),
    `properties` String CODEC(ZSTD(3)),
    `timestamp` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `team_id` Int64 CODEC(Delta(8), LZ4HC(9)),
    `distinct_id` String,
    `elements_chain` String,
    `created_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    `person_id` UUID DEFAULT toUUID('00000000-0000-0000-0000-000000000000'),
    `person_created_at` DateTime64(3) DEFAULT toDateTime64(0, 3),
    `person_mode` Enum8('full' = 0, 'propertyless' = 1, 'force_upgrade' = 2),
    `$session_id` String MATERIALIZED concat('s-', left(properties, 7)),
    `mat_host` Nullable(String) MATERIALIZED nullIf(substring(properties, 7), '') COMMENT 'column_materializer::host',
    `is_recent` Bool ALIAS timestamp > now() - toIntervalDay(7),
    `_timestamp` DateTime DEFAULT now(),
    `_offset` UInt64,
    INDEX `minmax_$session_id` `$session_id` TYPE minmax GRANULARITY 1,
    INDEX bloom_host mat_host TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX kafka_timestamp_minmax _timestamp TYPE minmax GRANULARITY 3
)
ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
SAMPLE BY cityHash64(distinct_id)
SETTINGS index_granularity = 8192
