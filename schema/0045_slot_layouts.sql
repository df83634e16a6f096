-- 0045: several slots, and which gateway has which.
--
-- A layout says into how many slots the work is split, and by which templates: gateways that see it
-- otherwise would store a message twice, or not at all. It changes while nobody has any of its
-- slots; whoever differs from it gets none. Slots that are free go to who has the fewest; a node
-- that has two more than another lets go of one; and one that is drained of all.

CREATE TABLE slot_layouts (
        first integer PRIMARY KEY,
        slots integer NOT NULL,
        templates text NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE slot_layouts IS 'how the work is split: one row for gateways that share it';
COMMENT ON COLUMN slot_layouts.first IS 'cluster.slot: its slots are numbered from here';
COMMENT ON COLUMN slot_layouts.slots IS 'cluster.slots';
COMMENT ON COLUMN slot_layouts.templates IS 'a hash of the templates of topics; of one slot none';

CREATE TABLE node_drains (
        cluster text NOT NULL,
        node text NOT NULL,
        drained_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (cluster, node)
);
COMMENT ON TABLE node_drains IS 'nodes that are to have no slot, until that is undone';

-- Nodes that may have slots of a layout, and how many each has. One that is refused says slot -1.
CREATE FUNCTION tidegate_slot_counts(my_cluster text, my_first integer, my_slots integer)
        RETURNS TABLE (instance text, node text, n bigint) LANGUAGE sql STABLE AS $$
        SELECT n.instance, n.node, (SELECT count(*) FROM slots s WHERE s.instance = n.instance
                        AND s.slot >= my_first AND s.slot < my_first + my_slots)
                FROM nodes n WHERE n.cluster = my_cluster AND n.slot = my_first AND NOT n.draining
                AND n.last_seen > clock_timestamp() - n.lease_ms * 4 / 3 * interval '1 millisecond'
                AND NOT EXISTS (SELECT FROM node_drains d
                        WHERE d.cluster = n.cluster AND d.node = n.node)
$$;

CREATE FUNCTION tidegate_is_drained(my_cluster text, my_node text) RETURNS boolean
        LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM node_drains WHERE cluster = my_cluster AND node = my_node)
$$;

-- How many slots a node is to let go of. One at a time, of who has the most, for who has the fewest,
-- while none is on its way already.
CREATE FUNCTION tidegate_slot_surplus(my_cluster text, my_node text, my_instance text,
                my_first integer, my_slots integer)
        RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
        mine integer;
BEGIN
        SELECT count(*) INTO mine FROM slots WHERE instance = my_instance
                AND slot >= my_first AND slot < my_first + my_slots;
        IF tidegate_is_drained(my_cluster, my_node) THEN
                RETURN mine;
        END IF;
        IF (SELECT count(*) FROM slots WHERE instance IS NOT NULL
                        AND slot >= my_first AND slot < my_first + my_slots) < my_slots THEN
                RETURN 0;
        END IF;
        RETURN (SELECT CASE WHEN mine >= min(n) + 2 AND my_instance = (array_agg(c.instance
                        ORDER BY n DESC, c.node))[1] THEN 1 ELSE 0 END
                FROM tidegate_slot_counts(my_cluster, my_first, my_slots) c);
END $$;
COMMENT ON FUNCTION tidegate_slot_surplus IS 'how many slots this node is to let go of now';

-- True: the layout is mine. Where another one is in force, it is replaced if nobody has any of its
-- slots by this database's clock; whoever had one is fenced.
CREATE FUNCTION tidegate_agree_layout(my_first integer, my_slots integer, my_templates text)
        RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
        IF EXISTS (SELECT FROM slots s JOIN slot_layouts l
                        ON s.slot >= l.first AND s.slot < l.first + l.slots
                        WHERE l.first < my_first + my_slots AND my_first < l.first + l.slots
                        AND s.instance IS NOT NULL AND s.lease_until > clock_timestamp())
                OR my_slots > 1 AND EXISTS (SELECT FROM slots s
                        WHERE s.slot >= my_first AND s.slot < my_first + my_slots
                        AND s.instance IS NOT NULL AND s.lease_until > clock_timestamp())
        THEN
                RETURN false;
        END IF;
        UPDATE journal_positions p SET session = session + 1,
                left_at = CASE WHEN s.instance IS NULL THEN p.left_at ELSE clock_timestamp() END,
                left_fence = CASE WHEN s.instance IS NULL THEN p.left_fence ELSE s.fence END
                FROM slots s, slot_layouts l
                WHERE p.epoch = s.epoch AND s.slot >= l.first AND s.slot < l.first + l.slots
                AND l.first < my_first + my_slots AND my_first < l.first + l.slots;
        UPDATE slots s SET fence = s.fence + 1, instance = NULL FROM slot_layouts l
                WHERE s.slot >= l.first AND s.slot < l.first + l.slots
                AND l.first < my_first + my_slots AND my_first < l.first + l.slots;
        DELETE FROM slots s USING slot_layouts l
                WHERE s.slot >= l.first AND s.slot < l.first + l.slots
                AND l.first < my_first + my_slots AND my_first < l.first + l.slots
                AND (s.slot < my_first OR s.slot >= my_first + my_slots);
        DELETE FROM slot_layouts l
                WHERE l.first < my_first + my_slots AND my_first < l.first + l.slots;
        INSERT INTO slot_layouts (first, slots, templates)
                VALUES (my_first, my_slots, my_templates);
        RETURN true;
END $$;

CREATE FUNCTION tidegate_is_layout(my_first integer, my_slots integer, my_templates text)
        RETURNS boolean LANGUAGE sql VOLATILE AS $$
        SELECT coalesce(bool_and(l.first = my_first AND l.slots = my_slots
                        AND l.templates = my_templates), false)
                FROM slot_layouts l
                WHERE l.first < my_first + my_slots AND my_first < l.first + l.slots
$$;

-- As tidegate_hold_slot(), of one of several. Not @is_agreed: the layout is another one, and the
-- slot is not ours. What is free goes to who has the fewest, or has waited for a lease.
CREATE FUNCTION tidegate_hold_slot_of(my_first integer, my_slots integer, my_templates text,
                my_cluster text, my_node text, which integer, my_epoch text, my_instance text,
                my_place text, my_host text, my_pid integer, my_client text, adopts boolean,
                my_lease integer, my_fence bigint, seen_fence bigint, seen_beats bigint,
                OUT held slots, OUT is_agreed boolean)
        LANGUAGE plpgsql AS $$
DECLARE
        mine bigint;
BEGIN
        is_agreed := true;
        IF EXISTS (SELECT FROM slots WHERE slot = which AND instance = my_instance) THEN
                held := tidegate_take_slot(which, my_epoch, my_instance, my_place, my_host, my_pid,
                        my_client, adopts, my_lease, my_fence, seen_fence, seen_beats);
                RETURN;
        END IF;

        SELECT * INTO held FROM slots WHERE slot = which;
        IF FOUND AND tidegate_is_layout(my_first, my_slots, my_templates)
                AND NOT tidegate_slot_is_free(held, my_epoch, my_place, my_fence, seen_fence,
                        seen_beats) THEN
                RETURN;
        END IF;

        LOCK TABLE slot_layouts IN SHARE ROW EXCLUSIVE MODE;
        IF NOT tidegate_is_layout(my_first, my_slots, my_templates)
                AND NOT tidegate_agree_layout(my_first, my_slots, my_templates) THEN
                is_agreed := false;
                RETURN;
        END IF;
        SELECT * INTO held FROM slots WHERE slot = which;
        IF my_slots > 1 AND tidegate_is_drained(my_cluster, my_node) THEN
                RETURN;
        END IF;
        IF my_slots > 1 AND held.slot IS NOT NULL AND held.instance IS NULL
                AND held.lease_until > clock_timestamp() - my_lease * interval '1 millisecond' THEN
                SELECT count(*) INTO mine FROM slots WHERE instance = my_instance
                        AND slot >= my_first AND slot < my_first + my_slots;
                IF mine > (SELECT coalesce(min(n), mine)
                                FROM tidegate_slot_counts(my_cluster, my_first, my_slots)) THEN
                        RETURN;
                END IF;
        END IF;
        held := tidegate_take_slot(which, my_epoch, my_instance, my_place, my_host, my_pid,
                my_client, adopts, my_lease, my_fence, seen_fence, seen_beats);
END $$;
COMMENT ON FUNCTION tidegate_hold_slot_of IS
        'says that we are alive, or takes the slot if it is free and for us';

-- What older gateways ask: they know of one slot, and not of layouts.
ALTER FUNCTION tidegate_hold_slot(integer, text, text, text, text, integer, text, boolean, integer,
        bigint, bigint, bigint) RENAME TO tidegate_take_slot;
CREATE FUNCTION tidegate_hold_slot(which integer, my_epoch text, my_instance text, my_place text,
                my_host text, my_pid integer, my_client text, adopts boolean, my_lease integer,
                my_fence bigint, seen_fence bigint, seen_beats bigint)
        RETURNS slots LANGUAGE sql AS $$
        SELECT (tidegate_hold_slot_of(which, 1, '', '', '', which, my_epoch, my_instance, my_place,
                my_host, my_pid, my_client, adopts, my_lease, my_fence, seen_fence, seen_beats)).held
$$;
COMMENT ON FUNCTION tidegate_hold_slot IS 'as tidegate_hold_slot_of(), where there is one slot';

-- A node that is refused says so.
CREATE OR REPLACE FUNCTION tidegate_beat_node(mine nodes, is_fixed boolean, seen_instance text,
                seen_beats bigint)
        RETURNS nodes LANGUAGE plpgsql AS $$
DECLARE
        n nodes;
BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE nodes SET beats = beats + 1, last_seen = clock_timestamp(), slot = mine.slot,
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
