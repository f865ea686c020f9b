-- Subscriptions: replaced rows, and projections that merges may drop.
-- change: ORDER BY (plan, subscription)
CREATE TABLE subscriptions
(
    `subscription` UInt64,
    `plan` String,
    `seats` UInt32,
    `changed` DateTime,
    PROJECTION by_change
    (
        SELECT *
        ORDER BY changed
    )
)
ENGINE = ReplacingMergeTree(changed)
ORDER BY (subscription, plan)
SETTINGS deduplicate_merge_projection_mode = 'rebuild', index_granularity = 8192
