-- Feature store: values of any type.
-- change: ORDER BY (name, entity)
-- fill: (entity, name, value, anything, typed) SELECT number, concat('feature ', toString(number % 30)), multiIf(number % 4 = 0, NULL, number % 4 = 1, CAST(number AS Variant(Array(UInt64), String, UInt64)), number % 4 = 2, CAST('text' AS Variant(Array(UInt64), String, UInt64)), CAST([number, 1] AS Variant(Array(UInt64), String, UInt64))), if(number % 3 = 0, CAST(number AS Dynamic), CAST(toString(number) AS Dynamic)), [CAST(number AS Dynamic), CAST('x' AS Dynamic)] FROM rows
CREATE TABLE features
(
    `entity` UInt64,
    `name` String,
    `value` Variant(Array(UInt64), String, UInt64),
    `anything` Dynamic(max_types = 8),
    `typed` Array(Dynamic),
    `as_number` UInt64 ALIAS ifNull(value.UInt64, 0)
)
ENGINE = MergeTree
ORDER BY (entity, name)
SETTINGS index_granularity = 8192
