-- A queue's archive that shall keep the order in which rows came.
-- change: ORDER BY tuple()
-- fill: (id, message, headers) SELECT number, toString(number), map('k', [toString(number % 3)], 'l', []) FROM rows
CREATE TABLE archive
(
    `id` UInt64,
    `message` String,
    `headers` Map(String, Array(String))
)
ENGINE = MergeTree
ORDER BY id
SETTINGS index_granularity = 8192, index_granularity_bytes = 10485760
