-- Prices, newest first, replaced: from directions to other columns with directions.
-- change: ORDER BY (symbol DESC, venue, at DESC)
CREATE TABLE prices
(
    `symbol` String,
    `at` DateTime64(3),
    `venue` LowCardinality(String),
    `price` Decimal(18, 8),
    `version` UInt32
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (venue, symbol, at DESC)
SETTINGS index_granularity = 8192
