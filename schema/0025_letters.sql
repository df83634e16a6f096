-- 0025: a dead letter says which route took it, and what it is about.
--
-- Both are null in letters of before; the route also where there was none, or the message came by
-- another door than MQTT.

ALTER TABLE dead_letters ADD COLUMN route text, ADD COLUMN device text;
COMMENT ON COLUMN dead_letters.route IS 'the route whose topic matched';
COMMENT ON COLUMN dead_letters.device IS
        'the code of the device, camera or vehicle; or what the message calls it, where it is not known';
