-- 0050: rows that are changed can be told apart, also where an administrator publishes all tables.
--
-- PostgreSQL refuses UPDATE and DELETE (55000) of published tables that have neither a primary key nor
-- another replica identity, whether or not anything would be changed. `CREATE PUBLICATION … FOR ALL
-- TABLES`, as tools for change data capture make it by themselves, was an outage of the whole store
-- with the next thousand messages. Of a whole row: in these there may be equal ones. It costs nothing
-- unless wal_level is logical.

ALTER TABLE dead_letters_removed REPLICA IDENTITY FULL;
ALTER TABLE log_in_key REPLICA IDENTITY FULL;
ALTER TABLE page_sums REPLICA IDENTITY FULL;
ALTER TABLE slot_flights REPLICA IDENTITY FULL;
