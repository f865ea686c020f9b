-- Forgotten people: rows were deleted by lightweight DELETE, others updated.
-- change: ORDER BY (city, person)
-- then: DELETE FROM `{db}`.`people` WHERE person % 7 = 0 SETTINGS mutations_sync = 2, lightweight_deletes_sync = 2
-- then: ALTER TABLE `{db}`.`people` UPDATE name = concat(name, '!') WHERE person % 5 = 0 SETTINGS mutations_sync = 2
-- fill: (person, city, name, born) SELECT number, concat('city ', toString(number % 19)), toString(number), toDate32('1950-01-01') + number % 9000 FROM rows
CREATE TABLE people
(
    `person` UInt64,
    `city` LowCardinality(String),
    `name` String,
    `born` Date32
)
ENGINE = MergeTree
ORDER BY (person, city)
SETTINGS index_granularity = 8192, enable_block_number_column = 1, enable_block_offset_column = 1
