#pragma once

/*
 * SlotLine: one slot as a whole line, from the session at the broker to the commit: its journal,
 * the inlet into it, its lease, its MQTT source and its processor. Nothing that stores is shared
 * with another one.
 *
 * It takes in while the slot is ours, or while there is nobody to ask, and stores what the database
 * lets it. Once opened, its source stays until the end, or until the slot is let go of: who has
 * lost it is shut by the inlet alone. To let go is to take nothing more from the broker, to store
 * what there is, and to say that it is free; what cannot be stored in some seconds stays ours, and
 * is taken in again. Belongs to main.
 */

#include <limits.h>

#include "base/base.h"
#include "gateway/config/config.h"
#include "model/event.h"

typedef struct Discovery Discovery;
typedef struct Inlet Inlet;
typedef struct Queue Queue;
typedef struct SlotKeys SlotKeys;
typedef struct SlotLine SlotLine;
typedef struct SlotLineOptions SlotLineOptions;
typedef struct UplinkLine UplinkLine;

/* All borrowed. */
struct SlotLineOptions {
        const Config *config;
        Queue *outbox;
        Queue *orders; /* of SparkplugOrder, to be published */

        /* Of several; of one, all is as it is without. */
        unsigned n_slots, place; /* its place among them, from 0 on */
        const SlotKeys *keys;
        const char *instance;     /* of this process's start */
        void (*ended)(void *arg); /* see ProcessorOptions */
        void *ended_arg;
        void (*shown)(void *arg, Event *event); /* see OutboxOptions; NULL */
        void *shown_arg;
};

enum {
        SLOT_LINE_E_UNUSABLE = 1, /* as configured, or as it is on disk: said why in the log */
};

/* Where the journal of that one of the slots is. False: too long a name. */
bool slot_line_dir(const Config *config, unsigned place, char ret_dir[PATH_MAX]);
/* Opens its journal; nothing is taken in or stored yet. SLOT_LINE_E_UNUSABLE. */
MUST_CHECK int slot_line_new(SlotLine **ret_line, const SlotLineOptions *options);
/* Its lease and its processor begin. @own: the routes that are configured; @routes: and those that
 * @discovery made, which is borrowed until slot_line_end(). */
MUST_CHECK int slot_line_start(SlotLine *line, Discovery *discovery, Routes *own, Routes *routes);
/* Other routes are in force, and what they want is subscribed. */
MUST_CHECK int slot_line_set_routes(SlotLine *line, Routes *own, Routes *routes);

int slot_line_fd(const SlotLine *line); /* readable: slot_line_follow() has something to do */
/* What has become of the lease; *ret_is_in: it takes in. */
void slot_line_follow(SlotLine *line, bool *ret_is_in);
bool slot_line_is_to_open(const SlotLine *line); /* it takes in, and has no source yet */
/* May a message of its source wait for us to say whose the slot is? It has Paho's lock then:
 * whoever asks anything of Paho, for this line or another one, waits as well. */
bool slot_line_may_wait(const SlotLine *line);
MUST_CHECK int slot_line_open(SlotLine *line); /* the source. SLOT_LINE_E_UNUSABLE. */
/* Before discovery_turn(): begins with the broker if what was waited for is known. */
MUST_CHECK int slot_line_turn(SlotLine *line);
/* Begins to let go of it, where that makes sense now. */
void slot_line_leave(SlotLine *line);
bool slot_line_is_in(const SlotLine *line);
bool slot_line_is_leaving(const SlotLine *line);
int slot_line_take_surplus(SlotLine *line);      /* see lease.h; of the first one */
int64_t slot_line_wait_us(const SlotLine *line); /* until that has to do; INT64_MAX: nothing */
int slot_line_result(const SlotLine *line);      /* a fault (< 0) of any of its threads, or 0 */

/* In this order, each within its time. */
void slot_line_drain(SlotLine *line);        /* others may know that it is about to stop */
void slot_line_begin_stop(SlotLine *line);   /* of the source; of each line, and then */
void slot_line_await_source(SlotLine *line); /* of each, and then */
void slot_line_stop_source(SlotLine *line);  /* nothing more comes from the broker, for good */
void slot_line_stop_storing(SlotLine *line, int grace_ms); /* begins to; the outbox is closed */
void slot_line_release(SlotLine *line, int timeout_ms);    /* the slot */
void slot_line_end(SlotLine *line); /* its threads; the doors may still ask the inlet */
SlotLine *slot_line_free(SlotLine *line);

const char *slot_line_epoch(const SlotLine *line);     /* of its journal */
const char *slot_line_client_id(const SlotLine *line); /* of its session, once it takes in */
Inlet *slot_line_inlet(SlotLine *line);
/* Any thread: up to where its journal is stored, as journal_stored_seq(). */
void slot_line_look(const SlotLine *line, UplinkLine *ret_line); /* the number first */

DEFINE_CLEANUP(SlotLine *, slot_line_free);
