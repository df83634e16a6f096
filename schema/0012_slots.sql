-- 0012: one gateway stores at a time.
--
-- A slot has one owner: the gateway that stores what comes in under it. Whoever takes a slot fences
-- the owner before it, in the same transaction: the session of that one's position ends, so that
-- whatever it still sends is refused by tidegate_advance(), however late it comes.

CREATE TABLE slots (
        slot integer PRIMARY KEY,
        fence bigint NOT NULL DEFAULT 0,
        beats bigint NOT NULL DEFAULT 0,
        epoch text NOT NULL DEFAULT '',
        instance text,
        place text NOT NULL DEFAULT '',
        host text NOT NULL DEFAULT '',
        pid integer NOT NULL DEFAULT 0,
        client_id text NOT NULL DEFAULT '',
        home text NOT NULL DEFAULT '',
        lease_ms integer NOT NULL DEFAULT 0,
        taken_at timestamptz NOT NULL DEFAULT now(),
        lease_until timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);
COMMENT ON TABLE slots IS 'which gateway stores; one row for each number of cluster.slot';
COMMENT ON COLUMN slots.fence IS 'raised each time that the slot is taken over';
COMMENT ON COLUMN slots.beats IS 'raised each time that the owner says that it is alive';
COMMENT ON COLUMN slots.epoch IS 'the journal of the owner, or of the last one';
COMMENT ON COLUMN slots.instance IS 'the start of the owner; NULL: it has let go';
COMMENT ON COLUMN slots.place IS 'where the journal lies: running kernel, device and inode';
COMMENT ON COLUMN slots.client_id IS 'the session at the broker, which goes over with the slot';
COMMENT ON COLUMN slots.home IS 'the database that the row was written in: a copy is another one';

CREATE FUNCTION tidegate_home() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
        RETURN (SELECT system_identifier FROM pg_control_system()) || '/'
                || (SELECT oid FROM pg_database WHERE datname = current_database());
EXCEPTION WHEN insufficient_privilege THEN
        RETURN '';
END $$;

-- Let go; our own, whose process has ended; of a time that this database has gone back to; or
-- watched by us for as long as the lease, without a sign of life.
CREATE FUNCTION tidegate_slot_is_free(s slots, my_epoch text, my_place text, my_fence bigint,
                seen_fence bigint, seen_beats bigint)
        RETURNS boolean LANGUAGE sql VOLATILE AS $$
        SELECT s.instance IS NULL
                OR (s.epoch = my_epoch
                        AND (s.place = my_place OR s.lease_until < clock_timestamp()))
                OR s.fence < my_fence
                OR coalesce(s.fence = seen_fence AND s.beats = seen_beats, false)
$$;

CREATE FUNCTION tidegate_hold_slot(which integer, my_epoch text, my_instance text, my_place text,
                my_host text, my_pid integer, my_client text, adopts boolean, my_lease integer,
                my_fence bigint, seen_fence bigint, seen_beats bigint)
        RETURNS slots LANGUAGE plpgsql AS $$
DECLARE
        s slots;
        until timestamptz := clock_timestamp() + my_lease * interval '1 millisecond';
BEGIN
        -- A crash of the server that loses this ends every session, too.
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE slots SET beats = beats + 1, lease_ms = my_lease, lease_until = until
                WHERE slot = which AND instance = my_instance RETURNING * INTO s;
        IF FOUND THEN
                RETURN s;
        END IF;

        SELECT * INTO s FROM slots WHERE slot = which;
        IF NOT FOUND THEN
                INSERT INTO slots (slot) VALUES (which) ON CONFLICT DO NOTHING;
        ELSIF NOT tidegate_slot_is_free(s, my_epoch, my_place, my_fence, seen_fence, seen_beats)
        THEN
                RETURN s;
        END IF;
        SELECT * INTO s FROM slots WHERE slot = which FOR UPDATE;
        IF NOT tidegate_slot_is_free(s, my_epoch, my_place, my_fence, seen_fence, seen_beats) THEN
                RETURN s;
        END IF;

        UPDATE journal_positions SET session = session + 1 WHERE epoch = s.epoch;
        UPDATE slots SET fence = greatest(s.fence, my_fence) + 1, beats = s.beats + 1,
                epoch = my_epoch, instance = my_instance, place = my_place, host = my_host,
                pid = my_pid, home = tidegate_home(), lease_ms = my_lease,
                client_id = CASE WHEN adopts AND s.client_id <> '' AND s.home = tidegate_home()
                        THEN s.client_id ELSE my_client END,
                taken_at = clock_timestamp(), lease_until = until
                WHERE slot = which RETURNING * INTO s;
        RETURN s;
END $$;
COMMENT ON FUNCTION tidegate_hold_slot IS
        'says that we are alive, or takes the slot if it is free; the answer says whose it is';
