-- Profiles: only the columns named coalesce.
-- change: ORDER BY (person, project)
CREATE TABLE profiles
(
    `project` UInt32,
    `person` UUID,
    `name` Nullable(String),
    `plan` LowCardinality(Nullable(String)),
    `score` Nullable(Decimal(9, 3))
)
ENGINE = CoalescingMergeTree((name, plan))
ORDER BY (project, person)
SETTINGS index_granularity = 8192
