-- A table with a history: columns came, were renamed, changed their types; the sorting key was appended to.
-- change: ORDER BY (created, id)
-- then: ALTER TABLE `{db}`.`customers` ADD COLUMN plan LowCardinality(String) DEFAULT if(id % 3 = 0, 'free', 'paid') AFTER id SETTINGS mutations_sync = 2
-- then: ALTER TABLE `{db}`.`customers` RENAME COLUMN mail TO email SETTINGS mutations_sync = 2
-- then: ALTER TABLE `{db}`.`customers` MODIFY COLUMN seats UInt64 SETTINGS mutations_sync = 2
-- then: ALTER TABLE `{db}`.`customers` ADD COLUMN seats_text String MATERIALIZED toString(seats), DROP COLUMN old SETTINGS mutations_sync = 2
-- then: ALTER TABLE `{db}`.`customers` ADD INDEX by_email email TYPE bloom_filter GRANULARITY 1 SETTINGS mutations_sync = 2
-- then: ALTER TABLE `{db}`.`customers` ADD CONSTRAINT some_seats CHECK seats >= 0, MODIFY COLUMN email CODEC(ZSTD(2)), MODIFY SETTING parts_to_delay_insert = 777
-- then: ALTER TABLE `{db}`.`customers` COMMENT COLUMN email 'added later', MODIFY COMMENT 'with a past'
CREATE TABLE customers
(
    `id` UInt64,
    `mail` String,
    `created` DateTime,
    `seats` UInt16,
    `old` Array(UInt8)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(created)
ORDER BY (id, created)
SETTINGS index_granularity = 8192
