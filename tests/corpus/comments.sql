-- Comments with everything in them.
-- change: ORDER BY (b, a)
CREATE TABLE commented
(
    `a` UInt64 COMMENT 'quote '' and backslash \\ and "double" and `tick`',
    `b` String COMMENT 'line\nbreak, comma, ) bracket',
    `c` String DEFAULT 'x;--' COMMENT 'ORDER BY (b)' CODEC(ZSTD(1)),
    `d` Array(String) DEFAULT ['a, b', ')', '\''],
    `e` DateTime DEFAULT '2024-01-01 00:00:00' COMMENT 'naïve ☃ Δ' TTL e + toIntervalYear(90)
)
ENGINE = MergeTree
ORDER BY (a, b)
SETTINGS index_granularity = 8192
COMMENT 'SETTINGS index_granularity = 1; \\ it''s \t tab'
