#pragma once

/*
 * SlotLine: one slot as a whole line, from the session at the broker to the commit: its journal,
 * the inlet into it, its lease, its MQTT source and its processor. Nothing that stores is shared
 * with another one.
 *
 * It takes in while the slot is ours, or while there is nobody to ask, and stores what the database
 * lets it. Once opened, its source stays until the end: who has lost the slot is shut by the inlet
 * alone. Belongs to main.
 */

#include "base/base.h"
#include "gateway/config/config.h"

typedef struct Discovery Discovery;
typedef struct Inlet Inlet;
typedef struct Queue Queue;
typedef struct SlotLine SlotLine;
typedef struct SlotLineOptions SlotLineOptions;

/* All borrowed. */
struct SlotLineOptions {
        const Config *config;
        Queue *outbox;
        Queue *orders; /* of SparkplugOrder, to be published */
};

enum {
        SLOT_LINE_E_UNUSABLE = 1, /* as configured, or as it is on disk: said why in the log */
};

/* Opens its journal; nothing is taken in or stored yet. SLOT_LINE_E_UNUSABLE. */
MUST_CHECK int slot_line_new(SlotLine **ret_line, const SlotLineOptions *options);
/* Its lease and its processor begin. @own: the routes that are configured; @routes: and those that
 * @discovery made, which is borrowed until slot_line_end(). */
MUST_CHECK int slot_line_start(SlotLine *line, Discovery *discovery, Routes *own, Routes *routes);
/* Other routes are in force, and what they want is subscribed. */
MUST_CHECK int slot_line_set_routes(SlotLine *line, Routes *own, Routes *routes);

int slot_line_fd(const SlotLine *line); /* readable: slot_line_follow() has something to do */
/* What has become of the lease; *ret_is_in: it takes in. SLOT_LINE_E_UNUSABLE. */
MUST_CHECK int slot_line_follow(SlotLine *line, bool *ret_is_in);
/* Before discovery_turn(): begins with the broker if what was waited for is known. */
MUST_CHECK int slot_line_turn(SlotLine *line);
int64_t slot_line_wait_us(const SlotLine *line); /* until that has to do; INT64_MAX: nothing */
int slot_line_result(const SlotLine *line);      /* a fault (< 0) of any of its threads, or 0 */

/* In this order, each within its time. */
void slot_line_drain(SlotLine *line);       /* others may know that it is about to stop */
void slot_line_stop_source(SlotLine *line); /* nothing more comes from the broker, for good */
void slot_line_stop_storing(SlotLine *line, int grace_ms); /* begins to; the outbox is closed */
void slot_line_release(SlotLine *line, bool is_drained, int timeout_ms); /* the slot */
void slot_line_end(SlotLine *line); /* its threads; the doors may still ask the inlet */
SlotLine *slot_line_free(SlotLine *line);

const char *slot_line_epoch(const SlotLine *line);     /* of its journal */
const char *slot_line_client_id(const SlotLine *line); /* of its session, once it takes in */
Inlet *slot_line_inlet(SlotLine *line);

DEFINE_CLEANUP(SlotLine *, slot_line_free);
