-- Ledger: numbers of all sizes.
-- change: ORDER BY (account, at, entry)
-- fill: (entry, account, at, i16, i128, u256, i256, d32, d128, d256, f32, bf16, ok, d, n, nested) SELECT number, toUInt128(number % 91) * 10000000000000000000, toDateTime('2024-01-01 00:00:00', 'Asia/Kolkata') + number % 5000000, number % 99 - 50, -toInt128(number), toUInt256(number) * number, -toInt256(number), number % 77 / 8, number / 7, number / 9, number / 3, number / 5, number % 2, toDate32('1960-01-01') + number % 900, [number, NULL, -1], [[toString(number % 5)], [], ['x', 'y']] FROM rows
CREATE TABLE ledger
(
    `entry` UInt64,
    `account` UInt128,
    `at` DateTime('Asia/Kolkata'),
    `i16` Int16,
    `i128` Int128,
    `u256` UInt256,
    `i256` Int256,
    `d32` Decimal32(3),
    `d128` Decimal(38, 18),
    `d256` Decimal(76, 20),
    `f32` Float32,
    `bf16` BFloat16,
    `ok` Bool DEFAULT true,
    `d` Date32,
    `n` Array(Nullable(Int64)),
    `nested` Array(Array(LowCardinality(String)))
)
ENGINE = MergeTree
PARTITION BY (toYYYYMM(at), ok)
ORDER BY (entry, account)
SETTINGS index_granularity = 8192
