-- 0040: what devices are, as they announce it: manufacturer, model and firmware.
--
-- Nobody chooses the first two. The firmware may have been entered by hand: as a name, it follows what
-- is said unless somebody chose another.

ALTER TABLE devices ADD COLUMN manufacturer text, ADD COLUMN model text, ADD COLUMN said_firmware text;
COMMENT ON COLUMN devices.manufacturer IS 'as it announced itself last';
COMMENT ON COLUMN devices.model IS 'as it announced itself last';
COMMENT ON COLUMN devices.said_firmware IS
        'what it said last; firmware_version follows it unless somebody chose another';

-- As tidegate_name_devices(), which goes on being called by itself where nothing but names is said.
CREATE FUNCTION tidegate_describe_devices(
        ids bigint[], names text[], places text[], makers text[], models text[], firmwares text[])
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        PERFORM tidegate_name_devices(ids, names, places);
        UPDATE devices AS d
           SET manufacturer = coalesce(x.maker, d.manufacturer),
               model = coalesce(x.model, d.model),
               firmware_version = CASE
                        WHEN d.firmware_version IS NULL OR d.firmware_version = d.said_firmware
                        THEN coalesce(x.firmware, d.firmware_version) ELSE d.firmware_version END,
               said_firmware = coalesce(x.firmware, d.said_firmware)
          FROM (SELECT e.id, u.maker, u.model, u.firmware
                  FROM (SELECT DISTINCT ON (a.id) a.id, a.maker, a.model, a.firmware
                          FROM unnest(ids, makers, models, firmwares) WITH ORDINALITY
                            AS a (id, maker, model, firmware, n)
                         ORDER BY a.id, a.n DESC) AS u
                  JOIN devices AS e ON e.id = u.id
                 WHERE u.maker IS DISTINCT FROM e.manufacturer AND u.maker IS NOT NULL
                    OR u.model IS DISTINCT FROM e.model AND u.model IS NOT NULL
                    OR u.firmware IS NOT NULL AND (u.firmware IS DISTINCT FROM e.said_firmware
                       OR e.firmware_version IS NULL)
                 ORDER BY e.id FOR NO KEY UPDATE OF e SKIP LOCKED) AS x
         WHERE d.id = x.id;
EXCEPTION WHEN OTHERS THEN
        RAISE DEBUG 'devices were not described: %', SQLERRM;
END $$;
