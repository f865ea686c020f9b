-- Billing: invoices, replaced as they change, with rows that say they are deleted.
-- change: ORDER BY (account_id, issued_on, invoice_id)
-- fill: (invoice_id, account_id, issued_on, currency, net, tax_rate, lines, paid_at, version, is_deleted) SELECT toUUID(UUIDNumToString(MD5(toString(number)))), number % 50, toDate32('2023-01-01') + number % 700, 'USD', number / 100, 0.19, [(toString(number), 1, 2.5)], if(number % 3 = 0, NULL, toDateTime64('2024-05-05 10:00:00', 3) + number), number % 7, number % 2 FROM rows
CREATE TABLE invoices
(
    `invoice_id` UUID COMMENT 'as the payment provider gives it',
    `account_id` UInt64 COMMENT 'not the organisation''s',
    `issued_on` Date32,
    `currency` FixedString(3) DEFAULT 'EUR',
    `net` Decimal64(2),
    `tax_rate` Decimal(5, 4),
    `gross` Decimal(18, 2) MATERIALIZED toDecimal64(net * 1.19, 2),
    `gross_text` String ALIAS concat(toString(gross), ' ', currency),
    `lines` Array(Tuple(sku String, quantity UInt32, price Decimal(18, 2))),
    `paid_at` Nullable(DateTime64(3, 'Europe/Berlin')),
    `version` UInt64,
    `is_deleted` UInt8 DEFAULT 0,
    CONSTRAINT has_account CHECK account_id < 18446744073709551615,
    PROJECTION by_day
    (
        SELECT issued_on, sum(net), count()
        GROUP BY issued_on
    )
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(issued_on)
ORDER BY (account_id, invoice_id, issued_on)
SETTINGS index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild', min_age_to_force_merge_seconds = 0
COMMENT 'invoices; last version counts'
