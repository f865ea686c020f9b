-- A view leaves MATERIALIZED columns to its target on this server, so the mirror would compute another value than the source.
-- change: ORDER BY (endpoint, delivery)
-- expect: exit 3 SW024
CREATE TABLE webhooks
(
    `endpoint` UInt32,
    `delivery` UInt64,
    `received` DateTime MATERIALIZED now(),
    `nonce` UInt64 MATERIALIZED rand64()
)
ENGINE = MergeTree
ORDER BY (delivery, endpoint)
SETTINGS index_granularity = 8192
