-- Metrics store tuned by hand: many settings.
-- change: ORDER BY (series, at)
CREATE TABLE samples
(
    `series` UInt64 CODEC(ZSTD(3)),
    `at` DateTime64(3) CODEC(DoubleDelta, ZSTD(3)),
    `value` Float64 CODEC(ZSTD(3))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, series)
SETTINGS index_granularity = 1024, index_granularity_bytes = 0, min_bytes_for_wide_part = 0, parts_to_throw_insert = 1000, parts_to_delay_insert = 500, old_parts_lifetime = 60, non_replicated_deduplication_window = 100, add_minmax_index_for_numeric_columns = 1, enable_block_number_column = 1, enable_block_offset_column = 1
