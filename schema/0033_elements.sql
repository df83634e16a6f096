-- 0033: a dead letter may be an element of a message (the key `each` of a route).
--
-- Its payload is then the message as JSON, whatever it came as, with this element alone, so that it
-- can be taken in again without its neighbours. Null in all others.

ALTER TABLE dead_letters ADD COLUMN element bigint;
COMMENT ON COLUMN dead_letters.element IS
        'which element of the message, from 1: the payload has this one alone; null = all of it';
