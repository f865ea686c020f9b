-- Product analytics: an hourly rollup of states.
-- change: ORDER BY (team_id, event, hour)
CREATE TABLE rollup
(
    `team_id` UInt32,
    `hour` DateTime,
    `event` LowCardinality(String),
    `users` AggregateFunction(uniq, UInt64),
    `exact` AggregateFunction(uniqExact, String),
    `p95` AggregateFunction(quantilesTDigest(0.5, 0.95), Float64),
    `first_url` AggregateFunction(argMin, String, DateTime64(3)),
    `revenue` SimpleAggregateFunction(sum, Decimal(38, 4)),
    `last_seen` SimpleAggregateFunction(max, DateTime64(3)),
    `biggest` SimpleAggregateFunction(max, Nullable(UInt32)),
    `n` AggregateFunction(count),
    INDEX seen last_seen TYPE minmax GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (team_id, hour, event)
SETTINGS index_granularity = 1024
