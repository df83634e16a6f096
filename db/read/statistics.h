#pragma once

/*
 * DbHistory: what viewers ask of the database. Read-only, on connections of its own, with a
 * statement time-out.
 *
 * Belongs to the query thread. A scope is a user id, or 0 for everything (admins and anonymous
 * paths).
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"
#include "model/page_query.h"

typedef struct DbDetectionWindow DbDetectionWindow;

struct DbDetectionWindow {
        int minutes;
        int64_t device_id; /* 0 = all that the user may see */
        CounterStyle style;
};

/* One JSON object a scope, as docs/protocol.md, 3 A "data" says. Unless the style says otherwise
 * the window is by time of receipt: device clocks do not decide who is here now. */
MUST_CHECK int db_history_detection_stats(DbConn *conn,
                                          const int64_t scopes[],
                                          size_t n_scopes,
                                          const DbDetectionWindow *window,
                                          Buf ret_bodies[]);

/* One JSON object a scope, as docs/protocol.md, 3 E "data" says. Costs what there are cameras, not
 * events: the schema keeps sums. A camera is a device of type "camera", or one that ever sent a
 * camera_event. It is active if online or heard of in the last 5 minutes, and recording if the
 * newest of recording_started and recording_stopped is started. A face_detected or face_recognized
 * is a recognition if its person_name is not null, "" or "Unknown", else an unknown face; today is
 * the UTC day of receipt. total_people are the names seen within the retention of camera_events. */
MUST_CHECK int db_history_camera_stats(DbConn *conn,
                                       const int64_t scopes[],
                                       size_t n_scopes,
                                       Buf ret_bodies[]);
