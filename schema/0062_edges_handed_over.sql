-- 0062: the right to bring what is its owner's goes with the owner.
--
-- An admin lets a gateway at the edge bring what is its owner's. When it got another owner it kept
-- that, and whoever had it before, and had its token, brought the whole fleet of the next one. What
-- is nobody's may be allowed before it is given: that is the word of an admin about who comes.

CREATE FUNCTION tidegate_no_uplink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        NEW.may_uplink := false;
        RETURN NEW;
END $$;

CREATE TRIGGER tidegate_no_uplink BEFORE UPDATE OF user_id ON devices FOR EACH ROW
        WHEN (OLD.may_uplink AND OLD.user_id IS NOT NULL
                AND NEW.user_id IS DISTINCT FROM OLD.user_id)
        EXECUTE FUNCTION tidegate_no_uplink();
