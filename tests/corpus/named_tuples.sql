-- CDP: profiles with named tuples in tuples, and subcolumns in key and indexes.
-- change: ORDER BY (traits.country, profile)
-- fill: (profile, traits, address, history) SELECT number, (concat('c', toString(number % 20)), number % 90, ['a', toString(number % 4)]), ((number, number / 3), 'street; (' || toString(number)), [(toDateTime('2024-01-01 00:00:00') + number, map('k', 1.5))] FROM rows
CREATE TABLE cdp_profiles
(
    `profile` UInt64,
    `traits` Tuple(country LowCardinality(String), age UInt8, `odd name` Array(String)),
    `address` Tuple(geo Tuple(lat Float64, lon Float64), street String) CODEC(ZSTD(1)),
    `history` Array(Tuple(at DateTime, what Map(String, Float32))),
    INDEX by_age traits.age TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (profile, traits.country)
SETTINGS index_granularity = 8192
