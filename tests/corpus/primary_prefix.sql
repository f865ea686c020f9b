-- Ads: a short primary key before a long sorting key; both change.
-- change: ORDER BY (campaign, advertiser, day, creative, placement)
-- change: PRIMARY KEY (campaign, advertiser)
CREATE TABLE impressions
(
    `advertiser` UInt32,
    `campaign` UInt64,
    `creative` UInt64,
    `placement` LowCardinality(String),
    `day` Date CODEC(Delta, ZSTD),
    `impressions` UInt64,
    `spend` Decimal(18, 6)
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (advertiser, campaign)
ORDER BY (advertiser, campaign, day, creative, placement)
SETTINGS index_granularity = 8192, min_rows_for_wide_part = 0, min_bytes_for_wide_part = 0
