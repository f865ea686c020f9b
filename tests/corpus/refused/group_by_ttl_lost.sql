-- TTL ... GROUP BY needs a prefix of the primary key.
-- change: ORDER BY (at, sensor)
-- expect: exit 1 prefix of primary key
CREATE TABLE points
(
    `sensor` UInt64,
    `at` DateTime,
    `value` Float64
)
ENGINE = MergeTree
ORDER BY (sensor, at)
TTL at + toIntervalYear(70) GROUP BY sensor SET value = avg(value)
SETTINGS index_granularity = 8192
