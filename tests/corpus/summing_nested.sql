-- Ad counters: nested maps are summed by their keys.
-- change: ORDER BY (banner, day)
CREATE TABLE counters
(
    `day` Date,
    `banner` UInt64,
    `shows` UInt64,
    `clicks` Int64,
    `GoalsMap` Nested(GoalID UInt16, Reached UInt64),
    `label` LowCardinality(String)
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, banner)
SETTINGS index_granularity = 8192
