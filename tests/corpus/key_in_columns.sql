-- Short forms that people write and the server spells out.
-- change: ORDER BY (b, a)
CREATE TABLE short_forms
(
    a UInt64,
    b varchar(20) not null default 'x',
    c INT NULL,
    d DOUBLE PRECISION DEFAULT 1 / 3,
    e TIMESTAMP DEFAULT toDateTime('2024-01-01 00:00:00'),
    f BOOLEAN DEFAULT true,
    g DEFAULT toUInt8(7),
    h Decimal(9),
    i Enum('x', 'y'),
    j Array(Nullable(String)) DEFAULT [NULL],
    k Tuple(UInt8, Nullable(String)) DEFAULT (1, NULL),
    INDEX idx (a, c) TYPE minmax
)
ENGINE = MergeTree()
ORDER BY (a)
