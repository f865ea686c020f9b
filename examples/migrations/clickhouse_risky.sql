-- What a reviewer should stop: exit code 3.
ALTER TABLE app.events_local MODIFY ORDER BY (team_id, event, toDate(timestamp), uuid);
ALTER TABLE app.events_local DROP COLUMN browser;
ALTER TABLE app.events_local MODIFY TTL toDate(timestamp) + INTERVAL 1 YEAR;
RENAME TABLE app.events_local TO app.events_old, app.events_new TO app.events_local;
