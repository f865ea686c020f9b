-- The server does not tell directions in `sorting_key`, so nothing would tell the new table from the old one.
-- change: ORDER BY (feed, at DESC)
-- expect: exit 3 direction (DESC) alone
CREATE TABLE feed
(
    `feed` UInt64,
    `at` DateTime
)
ENGINE = MergeTree
ORDER BY (feed, at)
SETTINGS index_granularity = 8192
