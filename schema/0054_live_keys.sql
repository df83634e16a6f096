-- 0054: keys by which gateways know what others of their cluster show.
--
-- Whoever may write to tidegate/live/# at the broker could show viewers what he likes. Frames are
-- under a key that only those have who can read this table. A new one is made each day, and used
-- once all have had time to read it; until the day after, the one before is good as well. While a
-- gateway is there that knows none of this, nobody signs, and nobody asks for it.

CREATE TABLE live_keys (
        cluster text NOT NULL,
        number bigint NOT NULL,
        key bytea NOT NULL,
        made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (cluster, number)
);
COMMENT ON TABLE live_keys IS 'what live frames are signed with: whoever has it can show viewers anything';

-- All that are good, the one to sign with first. Not @must_sign: there are gateways of before.
CREATE FUNCTION tidegate_live_keys(my_cluster text)
        RETURNS TABLE (number bigint, key text, must_sign boolean) LANGUAGE plpgsql AS $$
BEGIN
        IF NOT EXISTS (SELECT FROM live_keys k WHERE k.cluster = my_cluster
                        AND k.made_at > clock_timestamp() - interval '1 day') THEN
                INSERT INTO live_keys (cluster, number, key)
                        SELECT my_cluster, coalesce(max(k.number), 0) + 1, sha256(convert_to(
                                gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
                        FROM live_keys k WHERE k.cluster = my_cluster
                        ON CONFLICT DO NOTHING;
                DELETE FROM live_keys k WHERE k.made_at < clock_timestamp() - interval '2 days';
        END IF;
        RETURN QUERY SELECT k.number, encode(k.key, 'hex'), NOT EXISTS (
                        SELECT FROM nodes n WHERE n.cluster = my_cluster AND n.schema < 54
                        AND n.last_seen > clock_timestamp() - n.lease_ms * 4 / 3
                                * interval '1 millisecond')
                FROM live_keys k WHERE k.cluster = my_cluster
                ORDER BY k.made_at > clock_timestamp() - interval '10 seconds', k.number DESC;
END $$;
COMMENT ON FUNCTION tidegate_live_keys IS 'keys of live frames; makes the next one when it is time';
