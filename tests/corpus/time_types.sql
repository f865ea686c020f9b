-- Shifts: times of day, zones, intervals of all sizes.
-- change: ORDER BY (worker, began)
-- fill: (worker, began, ended, day, `from`, precise, at9) SELECT number, toDateTime64('2024-03-31 00:00:00', 0, 'Europe/Berlin') + number, toDateTime('2024-11-03 00:00:00', 'America/New_York') + number, toDate32('1925-01-01') + number, CAST(number % 86400 AS Time), CAST(number % 86400 AS Time64(3)), toDateTime64('2024-01-01 00:00:00.123456789', 9, 'UTC') + number FROM rows
CREATE TABLE shifts
(
    `worker` UInt64,
    `began` DateTime64(0, 'Europe/Berlin'),
    `ended` DateTime('America/New_York'),
    `day` Date32,
    `from` Time,
    `precise` Time64(3),
    `at9` DateTime64(9, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYear(began)
ORDER BY (began, worker)
SETTINGS index_granularity = 8192
