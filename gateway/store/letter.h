#pragma once

/*
 * Letter: a dead letter on its way back through the journal.
 *
 * It goes in by the internal door with what it was in its topic: "$letter/ID/FIRST_US/TOPIC", or,
 * where it is an element of a message, "$element/NTH/ID/FIRST_US/TOPIC". No other door can write
 * such a record, whatever the topic there. The topic of what an edge brought begins with
 * "$uplink/DEVICE_ID/": it still speaks only for what is its owner's; "$uplink/-DEVICE_ID/":
 * whoever brought it is no more, and it speaks for nobody.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/record.h"
#include "model/topic.h"

typedef struct DbDeadLetter DbDeadLetter;
typedef struct JournalRecord JournalRecord;

void letter_wrap(const DbDeadLetter *letter, Buf *ret_topic);
Kind letter_kind(
        const DbDeadLetter *letter); /* of what came by another door than MQTT; else none */

/* Sets the letter's id, first time, own topic and element; false: it is no letter. */
bool letter_open(const JournalRecord *entry, Record *envelope);
/* The names in the topic of what came by another door. */
TopicMatch letter_names(Text topic);
