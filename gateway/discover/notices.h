#pragma once

/*
 * Notices: all announcements that are in force, in the order of their first arrival, and the file
 * that keeps them for the next process.
 *
 * A retained message is one; an empty one takes it away. What the broker was not heard to take away
 * stays, also through restarts: one that has lost its retained messages, or is asked in part, is no
 * reason to stop listening. Whatever was not heard again when the broker was asked for all is
 * marked as missing. What was not heard again since the start gives way where room is
 * needed. One is heard on Paho's thread, all else belongs to main: under a lock that is held for a
 * moment.
 */

#include "base/base.h"
#include "gateway/discover/findings.h"
#include "gateway/discover/rule.h"

#define NOTICES_PER_DEVICE 16384 /* bytes of announcements that each of max_devices may have */

typedef struct Notices Notices;

typedef enum NoticeFate {
        NOTICE_NONE,  /* no announcement, or as it was */
        NOTICE_NEWS,  /* something is other than before */
        NOTICE_BOUND, /* it is not kept: too long, too many, or not text */
} NoticeFate;

/* @max_bytes: of all rules and users together. */
MUST_CHECK int notices_new(Notices **ret_notices, size_t max_bytes);
Notices *notices_free(Notices *notices);

/* Main. @rules are borrowed; what none of them takes is forgotten. */
void notices_set_rules(Notices *notices, const DiscoverRule rules[], size_t n_rules);
/* Any thread; copies. */
NoticeFate notices_hear(Notices *notices, Text topic, Text payload);

/* Any thread: from now on the broker sends all that it has retained. */
void notices_begin(Notices *notices);
/* Main: that was all. What was not heard is missing, until it is: *ret_n_missing. Is anything other
 * than before? */
bool notices_settle(Notices *notices, size_t *ret_n_missing);

/* Main. What all of them say together; @own are the routes that come first. */
MUST_CHECK int notices_read(Notices *notices, Routes *own, Findings **ret_findings);
size_t notices_length(Notices *notices);
size_t notices_bytes(Notices *notices); /* of them, topics and payloads */

/* Main. False: it cannot be written, with errno. */
bool notices_save(Notices *notices, const char *path);
/* Hears what a file has; of what cannot be read nothing. -ENOMEM. */
MUST_CHECK int notices_load(Notices *notices, const char *path);

DEFINE_CLEANUP(Notices *, notices_free);
