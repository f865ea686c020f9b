-- A type that the session which created the table allowed, and that no other session may create.
-- change: ORDER BY (b, a)
-- expect: exit 1 allow_suspicious_low_cardinality_types
CREATE TABLE suspicious
(
    `a` UInt64,
    `b` LowCardinality(UInt16)
)
ENGINE = MergeTree
ORDER BY (a, b)
SETTINGS index_granularity = 8192, allow_suspicious_low_cardinality_types = 1
