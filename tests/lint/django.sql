BEGIN;
--
-- Add field rating to book
--
ALTER TABLE "app_book" ADD COLUMN "rating" integer DEFAULT 0 NOT NULL;
ALTER TABLE "app_book" ALTER COLUMN "rating" DROP DEFAULT;
--
-- Alter field title on book
--
ALTER TABLE "app_book" ALTER COLUMN "title" TYPE varchar(500);
ALTER TABLE "app_book" ALTER COLUMN "price" TYPE numeric(12, 2) USING "price"::numeric(12, 2);
--
-- Add field publisher to book
--
ALTER TABLE "app_book" ADD COLUMN "publisher_id" bigint NULL CONSTRAINT "app_book_publisher_id_fk" REFERENCES "app_publisher"("id") DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS "app_book_publisher_id_fk" IMMEDIATE;
--
-- Remove field authors from book
--
DROP TABLE "app_book_authors" CASCADE;
--
-- Rename field name on author to full_name
--
ALTER TABLE "app_author" RENAME COLUMN "name" TO "full_name";
--
-- Delete model Shelf
--
DROP TABLE "app_shelf" CASCADE;
CREATE INDEX "app_book_publisher_id_idx" ON "app_book" ("publisher_id");
ALTER TABLE "app_book" ADD CONSTRAINT "rating_positive" CHECK (("rating" >= 0));
COMMIT;
