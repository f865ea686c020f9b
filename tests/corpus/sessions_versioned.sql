-- Sessions with versions: a row of sign -1 takes back its twin, whichever comes first.
-- change: ORDER BY (site_id, session_id, day)
CREATE TABLE sessions_v
(
    `day` Date,
    `site_id` UInt32,
    `session_id` UInt64,
    `state` Tuple(pages UInt16, exit String, tags Array(LowCardinality(String))),
    `sign` Int8,
    `version` UInt32
)
ENGINE = VersionedCollapsingMergeTree(sign, version)
PARTITION BY toYYYYMM(day)
ORDER BY (site_id, day, session_id)
SETTINGS index_granularity = 8192
