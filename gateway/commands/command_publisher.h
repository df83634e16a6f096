#pragma once

/*
 * CommandPublisher: a parcel of commands on its way to the broker.
 *
 * Fills templates, keeps a session of its own with the broker (connected again with a growing
 * pause) and tells which commands the broker has. Belongs to the dispatcher's thread, which it may
 * hold up for as long as an attempt to connect or a broker's answer may take
 * (COMMAND_PUBLISHER_*_MS).
 *
 * A broker may hang up on a message (one above its limit, a topic that it does not like). What was
 * in the same parcel then goes one by one, and from then on whatever is for that device goes alone
 * and last, with a growing pause: it costs itself and no other.
 */

#include "base/base.h"
#include "db/edit/command_rows.h"
#include "mqtt/options.h"

#define COMMAND_PUBLISHER_PARCEL 64 /* commands in one */

typedef struct CommandPublisher CommandPublisher;
typedef struct CommandPublisherOptions CommandPublisherOptions;
typedef void (*CommandPublisherFn)(void *arg, const char *command_id, int64_t device_id);

struct CommandPublisherOptions {
        const char *topics;      /* templates, comma-separated; NULL or "" = none: sockets alone */
        const char *ack_topic;   /* template of the response topic; NULL = none */
        const MqttOptions *mqtt; /* NULL = no broker; borrowed */
};

enum {
        COMMAND_PUBLISHER_E_TOPIC = 1, /* a template that is none, or has other names than {device}
                                          and {user} */
};

/* Is the comma-separated @topics one that command_publisher_new() takes? */
bool command_publisher_check_topics(const char *topics);

MUST_CHECK int command_publisher_new(CommandPublisher **ret_publisher,
                                     const CommandPublisherOptions *options);
CommandPublisher *command_publisher_free(CommandPublisher *publisher);

/* Connects if need be and if it is time to. False: no topics, no broker, or not now. */
bool command_publisher_is_ready(CommandPublisher *publisher);

void command_publisher_add(CommandPublisher *publisher,
                           const DbCommand *command); /* at most COMMAND_PUBLISHER_PARCEL */
/* The same, of one that is written already. */
void command_publisher_add_as(CommandPublisher *publisher, const DbCommand *command, Text payload);
size_t command_publisher_length(const CommandPublisher *publisher);

/* Empties the parcel; @fn for each command that the broker has, on all its topics. *ret_answers: it
 * has said of each whether it takes it. */
MUST_CHECK int command_publisher_send(CommandPublisher *publisher,
                                      CommandPublisherFn fn,
                                      void *arg,
                                      bool *ret_answers);

/* One message, once, if there is a broker now: nothing of it is kept. */
void command_publisher_say(CommandPublisher *publisher, const char *topic, Text payload);

DEFINE_CLEANUP(CommandPublisher *, command_publisher_free);
