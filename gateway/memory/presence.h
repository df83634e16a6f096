#pragma once

/*
 * Presence: what topics have said of devices, of which several say whether they are there: each
 * word with the number of its message, so that what is read again is judged as it was.
 *
 * With `all` a device is there where all of its topics said so last, and away where one said that
 * it is; with `any` the other way round. A topic that has not said anything yet decides nothing: as
 * long as it could, nothing is known. Of each topic of a device the last PRESENCE_WORDS words are
 * kept; of more than PRESENCE_MAX such topics all begin anew. One thread.
 */

#include "base/base.h"
#include "base/buf.h"

#define PRESENCE_WORDS 4
#define PRESENCE_MAX   262144
#define PRESENCE_KEY   "/here/" /* of what the database is to remember */

typedef struct Presence Presence;
typedef struct PresenceAsked PresenceAsked;

struct PresenceAsked { /* borrowed */
        Text device;
        char *const *topics;
        size_t n_topics;
        bool is_all; /* else any */
};

typedef enum PresenceAnswer {
        PRESENCE_UNKNOWN,
        PRESENCE_AWAY,
        PRESENCE_HERE,
} PresenceAnswer;

MUST_CHECK int presence_new(Presence **ret_presence);
Presence *presence_free(Presence *presence);

/* Message @seq says so on @topic. */
MUST_CHECK int presence_say(Presence *presence,
                            Text device,
                            Text topic,
                            uint64_t seq,
                            bool is_here);
/* As of message @seq. */
PresenceAnswer presence_ask(const Presence *presence, const PresenceAsked *asked, uint64_t seq);
/* An object of what each topic has said: {"bridge/state":"online",...}. Check buf_failed(). */
void presence_write(const Presence *presence, const PresenceAsked *asked, uint64_t seq, Buf *buf);

/* What the database remembers: a key that it has for a word, and back. False: it is another key. */
void presence_key(Text device, Text topic, Buf *buf);
MUST_CHECK int presence_restore(Presence *presence, Text key, Text said, uint64_t seq);
bool presence_is_key(Text key);

/* What is behind @stored_seq has numbers that are larger by @by from here on. */
void presence_move(Presence *presence, uint64_t stored_seq, uint64_t by);

DEFINE_CLEANUP(Presence *, presence_free);
