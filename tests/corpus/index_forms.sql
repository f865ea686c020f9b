-- Search queries: indexes over expressions, several columns, maps, arrays.
-- change: ORDER BY (tenant, toStartOfHour(at), id)
CREATE TABLE searches
(
    `id` UInt64,
    `tenant` UInt32,
    `at` DateTime,
    `query` String,
    `ip` IPv6,
    `tags` Array(String),
    `attributes` Map(String, String),
    `score` Nullable(Float64),
    INDEX lowered lower(query) TYPE tokenbf_v1(2048, 3, 7) GRANULARITY 1,
    INDEX pair (tenant, toDate(at)) TYPE set(200) GRANULARITY 3,
    INDEX all_tags tags TYPE bloom_filter(0.05) GRANULARITY 1,
    INDEX attribute attributes['value 1'] TYPE ngrambf_v1(3, 512, 2, 0) GRANULARITY 1,
    INDEX keys mapKeys(attributes) TYPE text(tokenizer = array),
    INDEX address ip TYPE bloom_filter GRANULARITY 2,
    INDEX rounded round(assumeNotNull(score), 1) TYPE minmax GRANULARITY 5,
    INDEX lower_text query TYPE text(tokenizer = splitByString([' ', ';']), preprocessor = lower(query))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (id, tenant)
SETTINGS index_granularity = 8192
