-- The same wishes, put so that nobody is hurt: exit code 0.
ALTER TABLE app.events_local ADD COLUMN IF NOT EXISTS device LowCardinality(String);
-- shardwright: allow SW027 query_log has no reader since 1 May; the software stopped to write it in release 41
ALTER TABLE app.events_local DROP COLUMN browser;
ALTER TABLE app.events_local MODIFY TTL toDate(timestamp) + INTERVAL 1 YEAR SETTINGS materialize_ttl_after_modify = 0;
EXCHANGE TABLES app.events_local AND app.events_new;
