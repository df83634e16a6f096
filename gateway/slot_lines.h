#pragma once

/*
 * SlotLines: all slots of this process, each a line of its own (slot_line.h), of which some are
 * held here and the others elsewhere.
 *
 * What comes by other doors than MQTT goes into the slot of the device that it is of; where that is
 * held elsewhere, into the next one that is held here, so that it is taken wherever a balancer
 * brings it. Lets go of slots as the database says, one after another. Belongs to main, but for
 * slot_lines_take().
 */

#include <poll.h>

#include "base/base.h"
#include "gateway/config/config.h"
#include "model/event.h"
#include "model/inbound.h"

typedef struct Discovery Discovery;
typedef struct Queue Queue;
typedef struct SlotLines SlotLines;
typedef struct SlotLinesShown SlotLinesShown;
typedef struct UplinkLine UplinkLine;

/* Of several: who hears what is shown of each (OutboxOptions.shown). */
struct SlotLinesShown {
        void (*fn)(void *arg, Event *event);
        void *arg;
};

/* All borrowed. SLOT_LINE_E_UNUSABLE, as slot_line_new(). @outbox is closed once all have ended. */
MUST_CHECK int slot_lines_new(SlotLines **ret_lines,
                              const Config *config,
                              Queue *outbox,
                              Queue *orders,
                              const SlotLinesShown *shown);
/* See slot_line.h. */
MUST_CHECK int slot_lines_start(SlotLines *lines,
                                Discovery *discovery,
                                Routes *own,
                                Routes *routes);
MUST_CHECK int slot_lines_set_routes(SlotLines *lines, Routes *own, Routes *routes);

size_t slot_lines_n(const SlotLines *lines);
void slot_lines_fds(const SlotLines *lines, struct pollfd ret_fds[]); /* so many */
/* *ret_is_in: at least one takes in. SLOT_LINE_E_UNUSABLE. */
MUST_CHECK int slot_lines_follow(SlotLines *lines, bool *ret_is_in);
MUST_CHECK int slot_lines_turn(SlotLines *lines);
int64_t slot_lines_wait_us(const SlotLines *lines);
int slot_lines_result(const SlotLines *lines);

void slot_lines_drain(SlotLines *lines);
void slot_lines_stop_source(SlotLines *lines);
void slot_lines_stop_storing(SlotLines *lines, int grace_ms);
void slot_lines_release(SlotLines *lines, int64_t deadline_us); /* monotonic */
void slot_lines_end(SlotLines *lines);
SlotLines *slot_lines_free(SlotLines *lines);

/* An InboundFn, with the lines as its @arg: for all doors but MQTT. */
int slot_lines_take(void *arg, const Inbound *inbound);
/* Into which of them what that edge brings goes (Inbound.line): by its id, as what a device sends,
 * but all of it; 0: none is held here. */
unsigned slot_lines_edge(void *arg, int64_t device_id);
/* How far what that one was given is in the database, and by which view (origins.h); false: it is
 * not held here any more. */
bool slot_lines_look(void *arg, unsigned line, UplinkLine *ret_line);
const char *slot_lines_epoch(const SlotLines *lines);  /* of the first journal: this node's own */
const char *slot_lines_epochs(const SlotLines *lines); /* of all, with commas */
bool slot_lines_have(const SlotLines *lines, unsigned place); /* is it held, and taken in here? */
/* Beside which name what is one a process goes to the broker; once it takes in. */
const char *slot_lines_client_id(const SlotLines *lines);

DEFINE_CLEANUP(SlotLines *, slot_lines_free);
