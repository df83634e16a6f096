-- 0019: what the pages of the origin systems show.

-- @at as it is written in @zone: RFC 3339 with milliseconds, and Z where that is UTC.
CREATE FUNCTION tidegate_local_time(at timestamptz, zone text)
        RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT to_char(at AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24:MI:SS.MS') ||
                CASE WHEN zone = 'UTC' THEN 'Z'
                     ELSE CASE WHEN ahead < interval '0' THEN '-' ELSE '+' END ||
                          to_char(greatest(ahead, -ahead), 'HH24:MI') END
          FROM (SELECT (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC')) AS o (ahead)
$$;
