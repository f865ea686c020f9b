-- Orders with statistics on columns and settings of columns.
-- change: ORDER BY (customer, ordered_at, order_id)
CREATE TABLE orders
(
    `order_id` UInt64 STATISTICS(tdigest, minmax),
    `customer` UInt32 STATISTICS(uniq),
    `ordered_at` DateTime,
    `total` Decimal(12, 2) DEFAULT 0 COMMENT 'net' CODEC(ZSTD(1)) STATISTICS(minmax),
    `note` String SETTINGS (min_compress_block_size = 16384, max_compress_block_size = 16384)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ordered_at)
ORDER BY (order_id, ordered_at)
SETTINGS index_granularity = 8192
