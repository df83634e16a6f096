-- 0014: what was noted while the gateway's own clock was ahead is not newer than all that comes.
--
-- "ahead" is a time that neither the database's clock nor the newest receipt has come to.

CREATE OR REPLACE FUNCTION tidegate_camera_events_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
        ahead CONSTANT timestamptz :=
                greatest(now(), (SELECT max(received_at) FROM added)) + interval '1 minute';
BEGIN
        INSERT INTO camera_states AS s (device_id, last_event_at)
        SELECT device_id, max(received_at) FROM added GROUP BY device_id ORDER BY device_id
        ON CONFLICT (device_id) DO UPDATE
                SET last_event_at = greatest(
                        CASE WHEN s.last_event_at <= ahead THEN s.last_event_at END,
                        EXCLUDED.last_event_at);

        UPDATE camera_states s
        SET recording = n.recording, recording_time = n.time
        FROM (SELECT DISTINCT ON (device_id) device_id, time,
                        event_type = 'recording_started' AS recording
                FROM added
                WHERE event_type IN ('recording_started', 'recording_stopped')
                ORDER BY device_id, time DESC, seq DESC) n
        WHERE s.device_id = n.device_id
        AND (s.recording_time IS NULL OR s.recording_time > ahead
                OR n.time >= s.recording_time);

        INSERT INTO camera_days AS d
                (device_id, day, recognitions, unknown_faces, last_recognition)
        SELECT device_id, (received_at AT TIME ZONE 'UTC')::date AS day,
                count(*) FILTER (WHERE person_name NOT IN ('', 'Unknown')),
                count(*) FILTER (WHERE person_name IS NULL OR person_name IN ('', 'Unknown')),
                max(time) FILTER (WHERE person_name NOT IN ('', 'Unknown'))
        FROM added
        WHERE event_type IN ('face_detected', 'face_recognized')
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (day, device_id) DO UPDATE
                SET recognitions = d.recognitions + EXCLUDED.recognitions,
                unknown_faces = d.unknown_faces + EXCLUDED.unknown_faces,
                last_recognition = greatest(
                        CASE WHEN d.last_recognition <= ahead THEN d.last_recognition END,
                        EXCLUDED.last_recognition);

        INSERT INTO camera_people AS p (device_id, person_name, last_seen)
        SELECT device_id, person_name, max(received_at)
        FROM added
        WHERE event_type IN ('face_detected', 'face_recognized')
        AND person_name NOT IN ('', 'Unknown')
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (device_id, person_name) DO UPDATE
                SET last_seen = EXCLUDED.last_seen
                WHERE p.last_seen < EXCLUDED.last_seen OR p.last_seen > ahead;
        RETURN NULL;
END $$;
