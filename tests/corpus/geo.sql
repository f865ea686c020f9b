-- Deliveries: places and areas.
-- change: ORDER BY (courier, at)
-- fill: (at, courier, spot, area, hexagon, path) SELECT toDateTime('2024-01-01 00:00:00') + number, number % 40, (number % 90, number % 45), [(0, 0), (number % 9, 1), (1, 1)], 599686042433355775 + number, [(1.5, 2.5), (number % 7, 3)] FROM rows
CREATE TABLE deliveries
(
    `at` DateTime,
    `courier` UInt32,
    `spot` Point,
    `area` Ring,
    `hexagon` UInt64,
    `path` LineString,
    INDEX by_hexagon hexagon TYPE bloom_filter(0.025) GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (at, courier)
SETTINGS index_granularity = 512
