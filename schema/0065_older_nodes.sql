-- 0065: a gateway that knows an older schema gets no slot, and lets go of those that it has.
--
-- It would take in, and then find that it cannot store: what it had taken in came late, once it was
-- started as the newer version. What it has it stores with the connection that it has.

CREATE OR REPLACE FUNCTION tidegate_is_drained(my_cluster text, my_node text) RETURNS boolean
        LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM node_drains WHERE cluster = my_cluster AND node = my_node)
                OR EXISTS (SELECT FROM nodes WHERE cluster = my_cluster AND node = my_node
                        AND schema < (SELECT max(number) FROM schema_migrations))
$$;

CREATE OR REPLACE FUNCTION tidegate_slot_counts(my_cluster text, my_first integer, my_slots integer)
        RETURNS TABLE (instance text, node text, n bigint) LANGUAGE sql STABLE AS $$
        SELECT n.instance, n.node, (SELECT count(*) FROM slots s WHERE s.instance = n.instance
                        AND s.slot >= my_first AND s.slot < my_first + my_slots)
                FROM nodes n WHERE n.cluster = my_cluster AND n.slot = my_first AND NOT n.draining
                AND n.last_seen > clock_timestamp() - n.lease_ms * 4 / 3 * interval '1 millisecond'
                AND NOT tidegate_is_drained(n.cluster, n.node)
$$;
