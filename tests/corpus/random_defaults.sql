-- Webhooks: values that nobody can compute a second time.
-- change: ORDER BY (endpoint, delivery)
-- fill: (endpoint, delivery, payload) SELECT number % 9, number, toString(number) FROM rows
CREATE TABLE webhooks
(
    `endpoint` UInt32,
    `delivery` UInt64,
    `id` UUID DEFAULT generateUUIDv7(),
    `received` DateTime64(6) DEFAULT now64(6),
    `nonce` UInt64 DEFAULT rand64(),
    `nonce_text` String MATERIALIZED toString(nonce),
    `payload` String
)
ENGINE = MergeTree
ORDER BY (delivery, endpoint)
SETTINGS index_granularity = 8192
