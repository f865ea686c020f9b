-- Traces as JSON: typed paths in the key, skipped ones, an index on a path.
-- change: ORDER BY (doc.service, at)
-- fill: (at, doc) SELECT toDateTime('2024-01-01 00:00:00') + number, CAST(concat('{"service":"s', toString(number % 7), '","n":', toString(number), ',"deep":{"a b":[1,', toString(number % 3), '],"x":null},"debug":{"no":1}}') AS JSON) FROM rows
CREATE TABLE docs
(
    `at` DateTime,
    `doc` JSON(max_dynamic_paths = 4, max_dynamic_types = 3, service LowCardinality(String), SKIP debug, SKIP REGEXP '^tmp'),
    `n` Nullable(Int64) MATERIALIZED doc.n::Nullable(Int64),
    INDEX by_service doc.service TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY at
SETTINGS index_granularity = 8192
