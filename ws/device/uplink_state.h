#pragma once

/*
 * What the rooms of WsUplink (uplink.h) share, and nobody else knows.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/edge/runs.h"
#include "model/edge/uplink.h"
#include "ws/loop/loop.h"
#include "ws/loop/questions.h"
#include "ws/viewer/client.h"

#define WS_UPLINK_RETRY_MS  1000  /* between two questions for the position */
#define WS_UPLINK_ANSWER_MS 20000 /* and if no answer comes at all */
#define WS_UPLINK_MAX_SENT  1024  /* commands that are remembered */

typedef struct WsUplinkBatch WsUplinkBatch;

/* One that is in our journal. */
struct WsUplinkBatch {
        uint64_t last_seq; /* of the edge's numbers */
        uint64_t at_seq;   /* and of ours */
        size_t n_bytes;
};

struct WsUplink {
        WsClient *client; /* borrowed: its owner */
        int64_t device_id;
        int64_t token_generation;
        uint64_t sender_key;

        bool is_greeted;     /* it has said which journal it has, */
        bool is_welcome;     /* and has been told the position */
        bool wants_position; /* asks for it, from then on */
        int64_t retry_ms;
        Runs runs;         /* what its numbers stand for */
        bool is_lossy;     /* it has let go of something: it is counted */
        UplinkLost unsaid; /* and what the log does not say yet, */
        int64_t lost_ms;   /* but from then on */
        bool is_copied;    /* there is another copy of its folder: it is told so, and counted */
        unsigned line;     /* which of our journals has what it brings; 0: none was asked for */
        uint64_t view;     /* of the database, as the position was asked for */
        WsQuestion question;

        uint64_t taken_seq;     /* the last that is in our journal; of its numbers, as the next */
        uint64_t read_seq;      /* and the last that was read */
        uint64_t at_seq;        /* the first of these in our numbers */
        WsUplinkBatch *batches; /* [n_batches], in order */
        size_t n_batches, capacity;
        size_t n_waiting; /* bytes of them */

        Buf held; /* a batch that the journal had no room for, from record @n_held on */
        uint32_t n_held;
        bool is_paused;
        Buf record; /* scratch */

        WsQuestion pending; /* commands that waited for it */
        bool wants_pending; /* asks for them, from then on */
        int64_t pending_ms;
        char (*sent)[QUERY_COMMAND_ID_SIZE]; /* [WS_UPLINK_MAX_SENT], round and round; NULL: none */
        size_t n_sent;
        TAILQ_ENTRY(WsUplink) entry;
};

static inline bool ws_uplink_is_open(const WsUplink *uplink) {
        return uplink->client->state == WS_CLIENT_OPEN && uplink->client->close_code == 0;
}

/* uplink_orders.c: the commands that wait, and later again. */
MUST_CHECK int ws_uplink_ask_pending(WsUplink *uplink);
