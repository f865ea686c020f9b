-- Page views with projections: one in another order, one that aggregates.
-- change: ORDER BY (path, site, at)
CREATE TABLE page_views
(
    `site` UInt32,
    `path` String,
    `visitor` UUID,
    `at` DateTime('America/New_York'),
    `ms` UInt32,
    INDEX words path TYPE ngrambf_v1(3, 4096, 2, 0) GRANULARITY 2,
    INDEX tokens path TYPE tokenbf_v1(4096, 2, 0) GRANULARITY 2,
    INDEX some path TYPE set(0) GRANULARITY 1,
    PROJECTION by_visitor
    (
        SELECT *
        ORDER BY visitor, at
    ),
    PROJECTION per_day
    (
        SELECT
            toDate(at) AS day,
            site,
            count(),
            uniq(visitor),
            avg(ms)
        GROUP BY day, site
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (site, path, at)
SETTINGS index_granularity = 8192, min_bytes_for_wide_part = 10485760
