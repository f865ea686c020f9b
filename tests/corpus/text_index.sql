-- Support tickets with a full-text index.
-- change: ORDER BY (workspace, toDate(opened), id)
CREATE TABLE tickets
(
    `id` UInt64,
    `workspace` UInt32,
    `opened` DateTime,
    `subject` String,
    `body` String CODEC(ZSTD(6)),
    `labels` Array(LowCardinality(String)),
    INDEX words body TYPE text(tokenizer = splitByNonAlpha),
    INDEX grams subject TYPE text(tokenizer = ngrams(3)),
    INDEX labels labels TYPE text(tokenizer = array),
    INDEX sparse subject TYPE sparse_grams(3, 100, 3, 512, 2, 0) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(opened)
ORDER BY (workspace, id)
SETTINGS index_granularity = 8192
