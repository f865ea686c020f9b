-- Billing: metered usage, summed an hour.
-- change: ORDER BY (organization, hour, product, meter)
CREATE TABLE usage_hourly
(
    `organization` UUID,
    `product` LowCardinality(String),
    `meter` LowCardinality(String),
    `hour` DateTime('UTC'),
    `quantity` Decimal(38, 9),
    `amount` Decimal(18, 4),
    `events` UInt64,
    `by_region_Map` Nested(region UInt16, quantity UInt64),
    CONSTRAINT positive CHECK quantity >= 0,
    CONSTRAINT whole_hours ASSUME toStartOfHour(hour) <= hour
)
ENGINE = SummingMergeTree((quantity, amount, events))
PARTITION BY toYYYYMM(hour)
ORDER BY (organization, product, meter, hour)
SETTINGS index_granularity = 8192
COMMENT 'it''s what invoices are made of; ORDER BY nothing'
