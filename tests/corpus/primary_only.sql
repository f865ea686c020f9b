-- Inventory: only the primary key is shortened.
-- change: PRIMARY KEY warehouse
CREATE TABLE inventory
(
    `warehouse` UInt32,
    `sku` String,
    `counted_at` DateTime,
    `quantity` Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(counted_at)
PRIMARY KEY (warehouse, sku)
ORDER BY (warehouse, sku, counted_at)
SETTINGS index_granularity = 8192
