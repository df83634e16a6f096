-- 0053: what each node says of itself.
--
-- With its sign of life, so that any node can tell of all. In a table of its own: gateways of before
-- write whole rows of nodes. Nothing is decided by it, so what a crash of the server loses of it is
-- said again.

CREATE UNLOGGED TABLE node_figures (
        cluster text NOT NULL,
        node text NOT NULL,
        instance text NOT NULL,
        figures jsonb NOT NULL,
        said_at timestamptz NOT NULL,
        PRIMARY KEY (cluster, node)
) WITH (fillfactor = 20);
COMMENT ON TABLE node_figures IS 'what gateways count, as of their last sign of life';
COMMENT ON COLUMN node_figures.instance IS 'its start, as in nodes';
COMMENT ON COLUMN node_figures.figures IS 'numbers by name';

CREATE FUNCTION tidegate_say_figures(my_cluster text, my_node text, my_instance text, mine jsonb)
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE node_figures SET figures = mine, said_at = clock_timestamp()
                WHERE cluster = my_cluster AND node = my_node AND instance = my_instance;
        IF FOUND THEN
                RETURN;
        END IF;
        DELETE FROM node_figures WHERE said_at < clock_timestamp() - interval '1 day';
        INSERT INTO node_figures VALUES (my_cluster, my_node, my_instance, mine, clock_timestamp())
                ON CONFLICT (cluster, node) DO UPDATE SET instance = excluded.instance,
                figures = excluded.figures, said_at = excluded.said_at;
END $$;
COMMENT ON FUNCTION tidegate_say_figures IS 'of a node that is there';
