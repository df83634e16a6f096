-- 0058: times that are known as a statement is planned.
--
-- timestamptz + interval is only stable, as an interval may have days: a bound that was made so was
-- known when a statement ran, and planning with each of a year's partitions took most of its time.
-- Microseconds have no time zone.

CREATE FUNCTION tidegate_us(us bigint) RETURNS timestamptz
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT timestamptz 'epoch' + us * interval '1us'
$$;
COMMENT ON FUNCTION tidegate_us IS 'of us since 1970';
