-- Experiments: states of many functions.
-- change: ORDER BY (day, experiment, variant)
CREATE TABLE experiment_states
(
    `experiment` UInt64,
    `variant` LowCardinality(String),
    `day` Date,
    `total` AggregateFunction(sum, Decimal(18, 4)),
    `mean` AggregateFunction(avg, Float64),
    `top` AggregateFunction(topK(5), String),
    `seen` AggregateFunction(groupUniqArray, UInt32),
    `bits` AggregateFunction(groupBitmap, UInt32),
    `median` AggregateFunction(quantile(0.5), UInt32),
    `hll` AggregateFunction(uniqCombined(14), String),
    `cond` AggregateFunction(sumIf, UInt64, UInt8),
    `maps` SimpleAggregateFunction(sumMap, Map(String, UInt64)),
    `any` SimpleAggregateFunction(anyLast, Nullable(String))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (experiment, variant, day)
SETTINGS index_granularity = 8192
