-- 0048: gateways at the edge.
--
-- A gateway without a database sends its journal to one that has it. It is a device here: its token
-- says who it is, and may_uplink whether it may bring anything. What it may bring is its owner's. How
-- far each of its journals is stored is moved in the transaction that stores.

ALTER TABLE devices ADD COLUMN may_uplink boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN devices.may_uplink IS 'it is a gateway, and may bring what is its owner''s';

CREATE TABLE uplink_positions (
        device_id bigint NOT NULL REFERENCES devices ON DELETE CASCADE,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now(),
        stored_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (device_id, epoch)
);
COMMENT ON TABLE uplink_positions IS 'how far the journals of gateways at the edge are stored';
COMMENT ON COLUMN uplink_positions.epoch IS 'the journal there; its 64 bits as a signed number';

-- An edge that gets another disk has another journal. The newest sixteen are remembered.
CREATE FUNCTION tidegate_uplink_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        DELETE FROM uplink_positions p WHERE p.device_id = NEW.device_id AND p.epoch IN (
                SELECT epoch FROM uplink_positions WHERE device_id = NEW.device_id
                ORDER BY (epoch = NEW.epoch) DESC, stored_at DESC OFFSET 16);
        RETURN NULL;
END $$;
CREATE TRIGGER tidegate_uplink_begins AFTER INSERT ON uplink_positions FOR EACH ROW
        EXECUTE FUNCTION tidegate_uplink_begins();

-- One row a message; of an edge that is deleted meanwhile nothing is kept. What is stored already
-- was stored by somebody else (a gateway that came back, `tidegate journal adopt`): nothing of the
-- transaction is, and who reads the positions again knows.
CREATE FUNCTION tidegate_uplink_advance(devices bigint[], epochs bigint[], seqs bigint[])
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
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
