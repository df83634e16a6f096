#pragma once

/*
 * Explorer: listens to what mqtt.explore names, and keeps a sketch of what no route takes of it.
 *
 * Belongs to main, which sets what is wanted; what comes is judged on Paho's thread, under a lock
 * that main takes for a moment at a reload. A message that a route's topic takes or ignores is
 * left alone: the source has it, on a connection of its own. Nothing goes into the journal here;
 * what was seen is told in a file beside it, for the command line, and in BULLETIN_UNROUTED.
 */

#include "base/base.h"
#include "model/inbound.h"
#include "mqtt/options.h"

#define EXPLORER_FILE "unrouted.json" /* in journal.dir: as it is told (explore/found.h), */
#define EXPLORER_TOLD 256             /* of so many shapes */

typedef struct Explorer Explorer;
typedef struct Routes Routes;

/* @dir: of the file. @n_shapes: mqtt.explore_shapes. */
MUST_CHECK int explorer_new(Explorer **ret_explorer, const char *dir, size_t n_shapes);
/* What cannot be ended stays until the process does. */
Explorer *explorer_free(Explorer *explorer);

/* @filters with commas, NULL: none. They are copied, @routes referred to. What was seen is
 * forgotten: with other routes it may not be unrouted any more. */
MUST_CHECK int explorer_set(Explorer *explorer, const char *filters, Routes *routes);
/* From now on we may be at the broker, under a name of our own beside @client_id; @options are
 * borrowed. */
MUST_CHECK int explorer_open(Explorer *explorer, const MqttOptions *options, const char *client_id);
void explorer_stop(Explorer *explorer);
/* Now and then, about once a second: writes the file when there is news, every few seconds. */
void explorer_tick(Explorer *explorer);

/* On Paho's thread: an MqttHeardFn, with the explorer. */
void explorer_hear(void *arg, const Inbound *inbound);

DEFINE_CLEANUP(Explorer *, explorer_free);
