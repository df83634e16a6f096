-- 0041: gateways that are there.
--
-- Each says every third of cluster.lease that it is, whether it stores or stands by. A name belongs to
-- the process that has it: another one takes it over only if that is dead, or has given no sign of
-- life for as long as its lease. Nothing is decided by this but whose the name is; who stores is in
-- slots.

CREATE TABLE nodes (
        cluster text NOT NULL,
        node text NOT NULL,
        instance text NOT NULL,
        beats bigint NOT NULL DEFAULT 0,
        place text NOT NULL,
        host text NOT NULL,
        pid integer NOT NULL,
        advertise text NOT NULL,
        version text NOT NULL,
        schema integer NOT NULL,
        slot integer NOT NULL,
        waiting bigint NOT NULL,
        draining boolean NOT NULL DEFAULT false,
        lease_ms integer NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        last_seen timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (cluster, node)
) WITH (fillfactor = 20);
COMMENT ON TABLE nodes IS 'gateways that are there, or were until a day ago';
COMMENT ON COLUMN nodes.instance IS 'its start, as in slots';
COMMENT ON COLUMN nodes.place IS 'where its journal lies, as in slots';
COMMENT ON COLUMN nodes.advertise IS 'cluster.advertise: where it can be reached';
COMMENT ON COLUMN nodes.schema IS 'the newest migration that it knows';
COMMENT ON COLUMN nodes.slot IS 'which it stores, or waits for';
COMMENT ON COLUMN nodes.waiting IS 'messages in its journal that were not stored yet';
COMMENT ON COLUMN nodes.draining IS 'it stores what it has, and ends';

-- The answer says whose the name is: with another instance it is not ours.
CREATE FUNCTION tidegate_beat_node(mine nodes, is_fixed boolean, seen_instance text,
                seen_beats bigint)
        RETURNS nodes LANGUAGE plpgsql AS $$
DECLARE
        n nodes;
BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE nodes SET beats = beats + 1, last_seen = clock_timestamp(),
                waiting = mine.waiting, draining = mine.draining
                WHERE cluster = mine.cluster AND node = mine.node AND instance = mine.instance
                RETURNING * INTO n;
        IF FOUND THEN
                RETURN n;
        END IF;

        DELETE FROM nodes WHERE last_seen < clock_timestamp() - interval '1 day';
        mine.beats := 1;
        mine.started_at := clock_timestamp();
        mine.last_seen := mine.started_at;
        INSERT INTO nodes SELECT mine.* ON CONFLICT DO NOTHING;
        SELECT * INTO n FROM nodes WHERE cluster = mine.cluster AND node = mine.node FOR UPDATE;
        IF n.instance = mine.instance OR (is_fixed AND n.place <> mine.place
                AND NOT coalesce(n.instance = seen_instance AND n.beats = seen_beats, false)) THEN
                RETURN n;
        END IF;
        DELETE FROM nodes WHERE cluster = mine.cluster AND node = mine.node;
        INSERT INTO nodes SELECT mine.* RETURNING * INTO n;
        RETURN n;
END $$;
COMMENT ON FUNCTION tidegate_beat_node IS
        'says that we are there; takes the name, if it is free, or nobody chose it';
