-- Contacts: the address comes in and only its hash stays.
-- change: ORDER BY (org, email_hash)
CREATE TABLE contacts
(
    `org` UInt32,
    `email` String EPHEMERAL 'nobody@example.com',
    `raw` EPHEMERAL 1,
    `email_hash` UInt64 DEFAULT cityHash64(lower(email)),
    `domain` LowCardinality(String) DEFAULT substring(email, position(email, '@') + 1),
    `created` DateTime DEFAULT '2024-04-04 04:04:04',
    `label` String ALIAS concat(toString(org), '/', domain)
)
ENGINE = MergeTree
ORDER BY (email_hash, org)
SETTINGS index_granularity = 8192
