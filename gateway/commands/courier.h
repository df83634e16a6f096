#pragma once

/*
 * Courier: a parcel of commands on its way to the broker.
 *
 * Fills templates, keeps a session of its own with the broker (connected again with a growing
 * pause) and tells which commands the broker has. Belongs to the commander's thread, which it may
 * hold up for as long as an attempt to connect or a broker's answer may take (COURIER_*_MS).
 *
 * A broker may hang up on a message (one above its limit, a topic that it does not like). What was
 * in the same parcel then goes one by one, and from then on whatever is for that device goes alone
 * and last, with a growing pause: it costs itself and no other.
 */

#include "base/base.h"
#include "db/edit/commands.h"
#include "gateway/commands/commander.h"

#define COURIER_PARCEL 64 /* commands in one */

typedef struct Courier Courier;
typedef void (*CourierFn)(void *arg, const char *command_id, int64_t device_id);

MUST_CHECK int courier_new(Courier **ret_courier,
                           const CommanderOptions *options); /* COMMANDER_E_TOPIC */
Courier *courier_free(Courier *courier);

/* Connects if need be and if it is time to. False: no topics, no broker, or not now. */
bool courier_is_ready(Courier *courier);

void courier_add(Courier *courier, const DbCommand *command); /* at most COURIER_PARCEL */
size_t courier_length(const Courier *courier);

/* Empties the parcel; @fn for each command that the broker has, on all its topics. *ret_answers: it
 * has said of each whether it takes it. */
MUST_CHECK int courier_send(Courier *courier, CourierFn fn, void *arg, bool *ret_answers);

DEFINE_CLEANUP(Courier *, courier_free);
