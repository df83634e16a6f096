-- 0016: what is not stored by day goes by age all the same.
--
-- Commands were kept for ever. What is over is deleted after retention.commands, a little at a time,
-- the oldest first.

CREATE INDEX commands_created_at ON commands (created_at);
