-- Device state: late columns fill in what earlier rows left open.
-- change: ORDER BY (device, tenant)
CREATE TABLE device_state
(
    `tenant` UInt32,
    `device` UInt64,
    `firmware` Nullable(String),
    `battery` Nullable(UInt8),
    `position` Tuple(lat Nullable(Float64), lon Nullable(Float64)),
    `seen` SimpleAggregateFunction(max, DateTime)
)
ENGINE = CoalescingMergeTree
ORDER BY (tenant, device)
SETTINGS index_granularity = 8192
