#pragma once

/*
 * UplinkLink: one WebSocket to a central gateway, as its client: plain or with TLS.
 *
 * Opening waits, within a time and until @wake_fd is readable; then nothing does. One thread; the
 * only file beside base and ws that knows OpenSSL.
 */

#include "base/base.h"
#include "gateway/uplink/frames.h"

typedef struct UplinkLink UplinkLink;
typedef struct UplinkLinkOptions UplinkLinkOptions;

struct UplinkLinkOptions {   /* borrowed for the call */
        const char *url;     /* ws:// or wss:// */
        const char *token;   /* bearer */
        const char *ca_file; /* NULL: those of the system */
        bool verify;
        int timeout_ms; /* of all that opening takes */
        int wake_fd;
};

#define UPLINK_LINK_WHY 160

enum {
        UPLINK_LINK_E_DOWN = 1, /* it cannot be opened, or is over: said in @ret_why */
};

/* Is it a URL that can be opened? */
bool uplink_link_is_url(const char *url);

MUST_CHECK int uplink_link_open(UplinkLink **ret_link,
                                const UplinkLinkOptions *options,
                                char ret_why[static UPLINK_LINK_WHY]);
UplinkLink *uplink_link_free(UplinkLink *link);

int uplink_link_fd(const UplinkLink *link);
short uplink_link_events(const UplinkLink *link); /* for poll(2) */
size_t uplink_link_unsent(const UplinkLink *link);

/* One message; it goes out by the next turn. */
MUST_CHECK int uplink_link_send(UplinkLink *link, UplinkOpcode opcode, Text payload);
/* Writes and reads what can be now. UPLINK_LINK_E_DOWN: what came before that can still be had.
 * What cannot be (frames.h) is answered with a close, and ends it. */
MUST_CHECK int uplink_link_turn(UplinkLink *link, char ret_why[static UPLINK_LINK_WHY]);
/* The next that has come; borrowed until the next turn. False: there is none. */
bool uplink_link_next(UplinkLink *link, UplinkOpcode *ret_opcode, Text *ret_payload);

DEFINE_CLEANUP(UplinkLink *, uplink_link_free);
