-- URLs: keys and partitions of expressions, lambdas and CASE.
-- change: ORDER BY (domain(url), cityHash64(url) % 16, at)
-- change: PARTITION BY (toMonday(at), multiIf(status < 300, 'ok', status < 400, 'moved', 'bad'))
CREATE TABLE crawled
(
    `url` String DEFAULT concat('https://host', toString(status), '.example/'),
    `at` DateTime,
    `status` UInt16,
    `parts` Array(String) MATERIALIZED arrayFilter(x -> (x != ''), splitByChar('/', path(url))),
    `class` String ALIAS caseWithExpression(intDiv(status, 100), 2, 'ok', 'other'),
    `key` UInt64 MATERIALIZED sipHash64(url)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (reverse(domain(url)), at)
SETTINGS index_granularity = 8192
