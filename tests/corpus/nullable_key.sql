-- Leads: a key that may be empty.
-- change: ORDER BY (stage, owner, id)
CREATE TABLE leads
(
    `id` UInt64,
    `owner` Nullable(UInt32),
    `stage` LowCardinality(Nullable(String)),
    `value` Nullable(Decimal(10, 2))
)
ENGINE = MergeTree
PARTITION BY stage IS NULL
ORDER BY (owner, id)
SETTINGS allow_nullable_key = 1, index_granularity = 8192
