-- What a tutorial starts with.
-- change: ORDER BY (name, id)
CREATE TABLE users
(
    `id` UInt64,
    `name` String
)
ENGINE = MergeTree
ORDER BY id
