#pragma once

/*
 * Stage: a WsServer with a small world, fed by the test instead of a processor, and Viewers:
 * WebSocket clients so plain that they can misbehave.
 *
 * The world: users 1 root (admin), 2 ana, 3 bob, 4 eve (not active); devices 1 dev-1 of ana in
 * group 1, 2 dev-2 of bob; vehicles 1 veh-1 of ana, 2 veh-2 of bob. Nothing waits longer than
 * STAGE_MS. A Viewer method that fails ends the test.
 */

#include "base/base.h"
#include "base/queue.h"
#include "model/event.h"
#include "ws/access/auth.h"
#include "ws/loop/options.h"
#include "ws/server.h"

#define STAGE_MS        5000
#define STAGE_ANONYMOUS "/open*"

typedef struct Stage Stage;
typedef struct Viewer Viewer;

struct Stage {
        WsOptions options;
        WsAuth *auth;
        Queue *outbox, *queries;
        WsServer *server;
        uint64_t seq;
};

struct Viewer {
        int fd;
        int status; /* of the handshake */
        char head[4096];
        uint8_t *in; /* received, not read yet */
        size_t n_in, capacity;
        char *text; /* the last message, NUL-terminated */
        size_t n_text;
        int close_code; /* of the close frame that came */
        size_t n_pings, n_fragments;
};

WsOptions stage_options(void);
void stage_init(Stage *stage, const WsOptions *options, const char *anonymous);
void stage_done(Stage *stage);
void stage_world(Stage *stage);

void stage_push(Stage *stage, Event *event); /* takes it */
void stage_message(Stage *stage,
                   Kind kind,
                   int64_t vehicle_id,
                   int64_t device_id,
                   const char *data);
void stage_place(Stage *stage, int64_t vehicle_id, double latitude, double longitude);
void stage_row(Stage *stage, const RegistryRow *row);
/* The next query, answered with @body for each scope; its user ids go to @ret_ids; how many. */
size_t stage_answer(Stage *stage, const char *body, int64_t *ret_ids, size_t n_ids);
void stage_wait_connections(int64_t n); /* of dialect D, as the metrics have it */

/* @user NULL: no credential. Returns the HTTP status. */
int viewer_open(Viewer *viewer, const Stage *stage, const char *path, const char *user);
int viewer_open_with(Viewer *viewer, const Stage *stage, const char *request); /* the whole head */
/* By the native protocol; the cursor of the welcome. */
void viewer_open_native(Viewer *viewer, const Stage *stage, const char *user, char ret_cursor[64]);
int viewer_read_head(Viewer *viewer); /* of one more answer; its status */
void viewer_done(Viewer *viewer);
void viewer_send(Viewer *viewer, const char *text);
void viewer_send_frame(Viewer *viewer, int first, const void *data, size_t n); /* masked */
void viewer_send_bytes(Viewer *viewer, const void *data, size_t n);
/* The next message; NULL: the connection is closed. Answers pings. */
const char *viewer_read(Viewer *viewer);
/* Nothing came before the answer to a ping of ours: a proof without waiting. */
void viewer_expect_silence(Viewer *viewer);
void viewer_expect(Viewer *viewer, const char *text); /* the next message holds @text */
int viewer_read_close(Viewer *viewer);                /* skips messages; the code, 0 = none came */
