-- 0049: two that bring what the same edge sent are one after the other.
--
-- Two gateways may have the same of it: who stores the journal of a dead one, and who has been sent
-- it again. As 0048, but that the second waits for the first before it looks: else both found that
-- nothing was there, and both stored it.

CREATE OR REPLACE FUNCTION tidegate_uplink_advance(devices bigint[], epochs bigint[],
                seqs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO uplink_positions (device_id, epoch, seq)
                SELECT DISTINCT u.device_id, u.epoch, 0
                FROM unnest(devices, epochs) AS u (device_id, epoch)
                JOIN devices d ON d.id = u.device_id ORDER BY 1, 2 ON CONFLICT DO NOTHING;
        PERFORM FROM uplink_positions p
                WHERE (p.device_id, p.epoch) IN (SELECT * FROM unnest(devices, epochs))
                ORDER BY p.device_id, p.epoch FOR UPDATE;
        IF EXISTS (SELECT FROM unnest(devices, epochs, seqs) AS u (device_id, epoch, seq)
                        JOIN uplink_positions p USING (device_id, epoch) WHERE u.seq <= p.seq) THEN
                RAISE EXCEPTION 'the journal of an edge is further than this writer knows'
                        USING ERRCODE = 'TG009';
        END IF;
        INSERT INTO uplink_positions AS p (device_id, epoch, seq)
                SELECT u.device_id, u.epoch, max(u.seq)
                FROM unnest(devices, epochs, seqs) AS u (device_id, epoch, seq)
                JOIN devices d ON d.id = u.device_id GROUP BY 1, 2 ORDER BY 1, 2
                ON CONFLICT (device_id, epoch) DO UPDATE SET seq = EXCLUDED.seq, stored_at = now();
END $$;
