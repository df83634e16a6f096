-- 0007: a dead letter that is replayed goes when its message is stored, and not before.

CREATE TABLE replays (
        letter_id bigint PRIMARY KEY,
        requested_at timestamptz NOT NULL DEFAULT now(),
        claimed_by text,
        session text,
        outcome text
);
COMMENT ON TABLE replays IS 'dead letters that somebody asked to be taken in again';
COMMENT ON COLUMN replays.claimed_by IS 'the epoch of the gateway that has it in its journal';
COMMENT ON COLUMN replays.session IS
        'which start of that gateway; a later one journals it again, and the letter tells which counts';
COMMENT ON COLUMN replays.outcome IS
        'stored, gone, or the reason why it is a dead letter again; null = under way';
