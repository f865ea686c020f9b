-- Geo events: a default out of a dictionary.
-- change: ORDER BY (country, at)
-- first: CREATE TABLE {db}.countries (id UInt64, name String) ENGINE = MergeTree ORDER BY id
-- first: INSERT INTO {db}.countries SELECT number, concat('country ', toString(number)) FROM numbers(50)
-- first: CREATE DICTIONARY {db}.country_names (id UInt64, name String DEFAULT 'nowhere') PRIMARY KEY id SOURCE(CLICKHOUSE(DB '{db}' TABLE 'countries' USER 'default')) LAYOUT(FLAT()) LIFETIME(0)
-- fill: (at, country) SELECT toDateTime('2024-01-01 00:00:00') + number, number % 60 FROM rows
CREATE TABLE geo_events
(
    `at` DateTime,
    `country` UInt64,
    `country_name` String DEFAULT dictGetOrDefault('{db}.country_names', 'name', country, 'unknown'),
    `is_known` Bool ALIAS dictHas('{db}.country_names', country)
)
ENGINE = MergeTree
ORDER BY (at, country)
SETTINGS index_granularity = 8192
