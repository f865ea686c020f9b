-- Cart lines that are taken back, with a projection and an index kept in step.
-- change: ORDER BY (cart, sku, shop)
CREATE TABLE cart_lines
(
    `shop` UInt32,
    `cart` UInt64,
    `sku` String,
    `quantity` Int32,
    `sign` Int8,
    INDEX by_sku sku TYPE ngrambf_v1(4, 1024, 2, 0) GRANULARITY 1,
    PROJECTION per_sku
    (
        SELECT sku, sum(quantity * sign)
        GROUP BY sku
    )
)
ENGINE = CollapsingMergeTree(sign)
ORDER BY (shop, cart, sku)
SETTINGS deduplicate_merge_projection_mode = 'rebuild', index_granularity = 8192
