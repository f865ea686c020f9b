-- A primary key that is not a prefix of the wanted sorting key.
-- change: ORDER BY (b, a)
-- expect: exit 1 Primary key must be a prefix of the sorting key
CREATE TABLE prefixed
(
    `a` UInt64,
    `b` String,
    `c` UInt8
)
ENGINE = MergeTree
PRIMARY KEY a
ORDER BY (a, b)
SETTINGS index_granularity = 8192
