-- 0034: what nodes and devices of Sparkplug have said of themselves last.
--
-- Their data name a metric by an alias, which only the birth before says the name of: a gateway
-- that starts reads them here. Written with the batch that the birth is in.

CREATE TABLE sparkplug_births (
        thing text PRIMARY KEY,
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        payload bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE sparkplug_births IS 'the last birth of each node and device of Sparkplug B';
COMMENT ON COLUMN sparkplug_births.thing IS 'GROUP/NODE or GROUP/NODE/DEVICE';
COMMENT ON COLUMN sparkplug_births.seq IS 'of the message; what comes behind it is read by it';
