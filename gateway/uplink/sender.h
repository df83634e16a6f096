#pragma once

/*
 * UplinkSender: brings an edge's journal to a central gateway (docs/protocol.md, section 8), as the
 * journal's reader, on a thread of its own.
 *
 * At each connection it goes on behind the position that the central one has in its database. Only
 * what that said to be stored is let go of, and, where the options say so, the oldest of it while
 * the journal is full: that is counted as dropped. Between attempts it waits, twice as long each
 * time, up to a most.
 */

#include "base/base.h"

typedef struct Journal Journal;
typedef struct UplinkOrders UplinkOrders;
typedef struct UplinkSender UplinkSender;
typedef struct UplinkSenderOptions UplinkSenderOptions;

struct UplinkSenderOptions { /* strings are borrowed for the life of the sender */
        const char *url, *token_file, *ca_file;
        bool verify;
        bool drops; /* what is oldest, where the journal is full; else the broker keeps what comes
                     */
        UplinkOrders *orders; /* borrowed; gets the commands that come down; NULL: nobody does */
        int backoff_min_ms, backoff_max_ms, timeout_ms;
};

/* The journal is borrowed. */
MUST_CHECK int uplink_sender_new(UplinkSender **ret_sender,
                                 const UplinkSenderOptions *options,
                                 Journal *journal);
MUST_CHECK int uplink_sender_start(UplinkSender *sender);
/* Waits until all that is in the journal is stored, at most so long, and ends. */
void uplink_sender_stop(UplinkSender *sender, int grace_ms);
UplinkSender *uplink_sender_free(UplinkSender *sender);
int uplink_sender_result(const UplinkSender *sender); /* a fault (< 0), or 0; any thread */

DEFINE_CLEANUP(UplinkSender *, uplink_sender_free);
