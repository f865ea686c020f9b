-- Feature flags: the last row written counts.
-- change: ORDER BY (flag, team)
-- fill: (team, flag, rules, rollout) SELECT number, concat('flag ', toString(number % 9)), concat('{"n":', toString(number % 10), '}'), number % 101 FROM rows
CREATE TABLE flags
(
    `team` UInt64,
    `flag` String,
    `rules` JSON,
    `rollout` UInt8,
    CONSTRAINT percent CHECK rollout <= 100,
    CONSTRAINT named CHECK notEmpty(flag)
)
ENGINE = ReplacingMergeTree
ORDER BY (team, flag)
SETTINGS index_granularity = 8192
