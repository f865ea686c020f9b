-- A leaderboard: from a key with directions to one without.
-- change: ORDER BY (season, player, score)
CREATE TABLE scores
(
    `season` UInt16,
    `player` UInt64,
    `score` Int32,
    `at` DateTime DEFAULT '2024-03-01 00:00:00'
)
ENGINE = MergeTree
ORDER BY (season, score DESC)
SETTINGS index_granularity = 8192
