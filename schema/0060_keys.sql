-- 0060: a vehicle that has the id of another is another.
--
-- A database that is put back gives out ids again, and what a gateway remembers of the one before
-- must not be shown as what the next one said. A device has had a key since the first schema.

ALTER TABLE vehicles ADD COLUMN key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid();
COMMENT ON COLUMN vehicles.key IS 'which vehicle it is, whoever has its id one day';
