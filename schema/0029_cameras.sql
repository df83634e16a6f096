-- 0029: whether a camera records does not depend on a clock that is ahead.
--
-- What has no time came after a clock that is a little ahead, and was older than it; and a camera whose
-- clock is behind was older than what it had said without a time.

CREATE OR REPLACE FUNCTION tidegate_camera_events_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
        ahead CONSTANT timestamptz :=
                greatest(now(), (SELECT max(received_at) FROM added)) + interval '1 minute';
        most CONSTANT bigint := coalesce(nullif(nullif(
                current_setting('tidegate.max_people', true), ''), '0')::bigint, 9e18::bigint);
BEGIN
        INSERT INTO camera_states AS s (device_id, last_event_at)
        SELECT device_id, max(received_at) FROM added GROUP BY device_id ORDER BY device_id
        ON CONFLICT (device_id) DO UPDATE
                SET last_event_at = greatest(
                        CASE WHEN s.last_event_at <= ahead THEN s.last_event_at END,
                        EXCLUDED.last_event_at);

        -- As everywhere: what a camera has itself said orders what it says, a clock ahead counts as
        -- its receipt, and what has no time is news when it comes.
        UPDATE camera_states s
        SET recording = n.recording,
                recording_time = coalesce(greatest(n.said,
                        CASE WHEN s.recording_time <= ahead THEN s.recording_time END), n.said)
        FROM (SELECT DISTINCT ON (device_id) device_id, recording, said
                FROM (SELECT a.device_id, a.seq, a.event_type = 'recording_started' AS recording,
                                a.said, max(a.said) OVER (PARTITION BY a.device_id ORDER BY a.seq
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
                                CASE WHEN c.recording_time <= ahead THEN c.recording_time END AS stored
                        FROM (SELECT device_id, seq, event_type,
                                        CASE WHEN time <> received_at
                                                THEN least(time, received_at) END AS said
                                FROM added
                                WHERE event_type IN ('recording_started', 'recording_stopped')) a
                        LEFT JOIN camera_states c USING (device_id)) b
                WHERE said IS NULL OR said >= coalesce(greatest(before, stored), '-infinity')
                ORDER BY device_id, seq DESC) n
        WHERE s.device_id = n.device_id;

        INSERT INTO camera_days AS d
                (device_id, day, recognitions, unknown_faces, last_recognition)
        SELECT device_id, (received_at AT TIME ZONE 'UTC')::date AS day,
                count(*) FILTER (WHERE person_name NOT IN ('', 'Unknown')),
                count(*) FILTER (WHERE person_name IS NULL OR person_name IN ('', 'Unknown')),
                max(least(time, received_at)) FILTER (WHERE person_name NOT IN ('', 'Unknown'))
        FROM added
        WHERE event_type IN ('face_detected', 'face_recognized')
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (day, device_id) DO UPDATE
                SET recognitions = d.recognitions + EXCLUDED.recognitions,
                unknown_faces = d.unknown_faces + EXCLUDED.unknown_faces,
                last_recognition = greatest(
                        CASE WHEN d.last_recognition <= ahead THEN d.last_recognition END,
                        EXCLUDED.last_recognition);

        -- Rows that were taken away since are room: those who have none are counted again at times.
        UPDATE camera_states s
        SET people = (SELECT count(*) FROM camera_people p WHERE p.device_id = s.device_id),
                people_counted_at = now()
        WHERE s.people >= most AND s.people_counted_at < now() - interval '1 minute'
        AND s.device_id IN (SELECT device_id FROM added WHERE person_name NOT IN ('', 'Unknown'));

        -- Who is known is known; of the new ones as many as there is room for. Their camera's state
        -- is locked by now, so that nobody else counts at the same time.
        WITH faces AS MATERIALIZED (
                SELECT n.*, k.device_id IS NULL AS is_new, row_number() OVER (
                        PARTITION BY n.device_id, k.device_id IS NULL ORDER BY n.person_name) AS nth
                FROM (SELECT device_id, person_name, max(received_at) AS last_seen
                        FROM added
                        WHERE event_type IN ('face_detected', 'face_recognized')
                        AND person_name NOT IN ('', 'Unknown')
                        GROUP BY 1, 2) n
                LEFT JOIN camera_people k USING (device_id, person_name)),
        judged AS MATERIALIZED (
                SELECT f.*, NOT f.is_new OR s.people + f.nth <= most AS is_in
                FROM faces f JOIN camera_states s USING (device_id)),
        kept AS (
                INSERT INTO camera_people AS p (device_id, person_name, last_seen)
                SELECT device_id, person_name, last_seen FROM judged WHERE is_in ORDER BY 1, 2
                ON CONFLICT (device_id, person_name) DO UPDATE
                        SET last_seen = EXCLUDED.last_seen
                        WHERE p.last_seen < EXCLUDED.last_seen OR p.last_seen > ahead)
        UPDATE camera_states s
        SET people = s.people + n.added, people_refused = s.people_refused + n.refused
        FROM (SELECT device_id, count(*) FILTER (WHERE is_in) AS added,
                        count(*) FILTER (WHERE NOT is_in) AS refused
                FROM judged WHERE is_new GROUP BY 1) n
        WHERE s.device_id = n.device_id;
        RETURN NULL;
END $$;
