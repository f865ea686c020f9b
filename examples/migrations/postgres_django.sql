-- As `manage.py sqlmigrate` prints it: exit code 3.
BEGIN;
--
-- Add field rating to book
--
ALTER TABLE "app_book" ADD COLUMN "rating" integer DEFAULT 0 NOT NULL;
ALTER TABLE "app_book" ALTER COLUMN "rating" DROP DEFAULT;
--
-- Remove field authors from book
--
DROP TABLE "app_book_authors" CASCADE;
COMMIT;
