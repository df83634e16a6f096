-- 0022: what devices call themselves, and where they say that they are.
--
-- A scanner says so with its detections. That is its name as long as nobody gave it another: what it
-- said last is kept beside it, and a name that is not what it said is somebody's choice and stays.

ALTER TABLE devices ADD COLUMN said_name text, ADD COLUMN said_location text;
COMMENT ON COLUMN devices.said_name IS
        'what it called itself last; name follows it unless somebody chose another';
COMMENT ON COLUMN devices.said_location IS 'where it said that it is; location follows it likewise';

-- For the store, in the transaction of a batch: it waits for nobody who changes a device, and fails
-- with nothing that keeps a device from being changed. What was passed over is said again.
CREATE FUNCTION tidegate_name_devices(ids bigint[], names text[], places text[])
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        UPDATE devices AS d
           SET name = CASE WHEN d.name IS NULL OR d.name = d.said_name
                        THEN coalesce(x.name, d.name) ELSE d.name END,
               location = CASE WHEN d.location IS NULL OR d.location = d.said_location
                        THEN coalesce(x.place, d.location) ELSE d.location END,
               said_name = coalesce(x.name, d.said_name),
               said_location = coalesce(x.place, d.said_location)
          FROM (SELECT e.id, u.name, u.place
                  FROM (SELECT DISTINCT ON (a.id) a.id, a.name, a.place
                          FROM unnest(ids, names, places) WITH ORDINALITY AS a (id, name, place, n)
                         ORDER BY a.id, a.n DESC) AS u
                  JOIN devices AS e ON e.id = u.id
                 WHERE u.name IS DISTINCT FROM coalesce(e.said_name, e.name) AND u.name IS NOT NULL
                    OR u.place IS DISTINCT FROM coalesce(e.said_location, e.location)
                       AND u.place IS NOT NULL
                    OR u.name = e.name AND e.said_name IS NULL
                    OR u.place = e.location AND e.said_location IS NULL
                    OR e.name IS NULL AND u.name IS NOT NULL
                    OR e.location IS NULL AND u.place IS NOT NULL
                 ORDER BY e.id FOR NO KEY UPDATE OF e SKIP LOCKED) AS x
         WHERE d.id = x.id;
EXCEPTION WHEN OTHERS THEN
        RAISE DEBUG 'devices were not named: %', SQLERRM;
END $$;
