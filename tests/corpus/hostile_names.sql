-- Names that need quoting everywhere: spaces, dots, quotes, keywords, other scripts.
-- change: ORDER BY (`it's`, `order by`, `sp ace`)
CREATE TABLE `odd.table; DROP "x" --`
(
    `sp ace` UInt64 COMMENT 'PRIMARY KEY; -- no',
    `order by` DateTime,
    `it's` String DEFAULT concat('a', '(', '\'', `from`),
    `from` String CODEC(LZ4),
    `back\`tick` Nullable(UInt8),
    `dotted.name` UInt16,
    `größe` Float32,
    `select` String MATERIALIZED concat(`from`, '\\'),
    INDEX `my index` `from` TYPE bloom_filter GRANULARITY 1,
    CONSTRAINT `chk ,1` CHECK `sp ace` < 1000000000,
    PROJECTION `pro jection`
    (
        SELECT `it's`, count()
        GROUP BY `it's`
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(`order by`)
ORDER BY (`sp ace`, `order by`, `it's`)
SETTINGS index_granularity = 8192
COMMENT 'engine = MergeTree ORDER BY `x`'
