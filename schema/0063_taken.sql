-- 0063: which numbers of a journal viewers may have seen of messages that others stored.
--
-- A gateway that was cut off had shown messages that the broker sent to the next owner as well,
-- which stored them under numbers of its own. Once the first one is back it leaves them to that.
-- Who has seen them under the first numbers is shown them once more: that is to be said.

ALTER TABLE journal_positions ADD COLUMN taken_after bigint, ADD COLUMN taken_until bigint;
COMMENT ON COLUMN journal_positions.taken_after IS
        'behind this, and up to taken_until, are numbers of which others have stored the messages, the last time that it was so';
