#pragma once

/*
 * Discovery: hears what devices announce, and adds the routes that come of it to those that are
 * configured.
 *
 * Belongs to main. Announcements come over a connection of their own (mqtt/listener.h) and not
 * through the journal: they say how to read messages, and the broker has them whenever it is asked.
 * What comes is noted on Paho's thread; a while after the first, when it is quiet, main makes a
 * table of routes of all of them, a few times a minute at most. The file of them lets the next
 * process begin with the same table.
 */

#include "base/base.h"
#include "gateway/discover/notices.h"
#include "gateway/discover/patterns.h"
#include "mqtt/options.h"

#define DISCOVERY_FILE "discovered" /* in journal.dir */

typedef struct Discovery Discovery;

/* @dir: of the file. @max_bytes: of all announcements. */
MUST_CHECK int discovery_new(Discovery **ret_discovery, const char *dir, size_t max_bytes);
/* What cannot be ended stays until the process does. */
Discovery *discovery_free(Discovery *discovery);

/* @rules are borrowed, until the next call or discovery_stop(); @own comes before what is
 * discovered. Makes the table. */
MUST_CHECK int discovery_set(Discovery *discovery,
                             const DiscoverRule rules[],
                             size_t n_rules,
                             Routes *own);
/* From now on we may be at the broker, under a name of our own beside @client_id; @options are
 * borrowed. */
MUST_CHECK int discovery_open(Discovery *discovery,
                              const MqttOptions *options,
                              const char *client_id);
void discovery_stop(Discovery *discovery);

int discovery_fd(const Discovery *discovery); /* readable: there is news, see discovery_turn() */
int64_t discovery_wait_us(const Discovery *discovery); /* until discovery_turn() has to do */
/* Makes a new table where there is news and it is time: *ret_is_changed. */
MUST_CHECK int discovery_turn(Discovery *discovery, bool *ret_is_changed);

/* Was what is announced heard, by us or by the process before? True where nobody asks. */
bool discovery_is_known(const Discovery *discovery);

Routes *discovery_routes(Discovery *discovery); /* borrowed: the table */
const Patterns *discovery_patterns(
        const Discovery *discovery); /* what is to be subscribed for it */
/* Any thread: is a topic wanted, of which a pattern may have brought too many? */
bool discovery_wants(const void *discovery, Text topic);

DEFINE_CLEANUP(Discovery *, discovery_free);
