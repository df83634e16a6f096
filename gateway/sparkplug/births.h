#pragma once

/*
 * Births: what nodes and devices have said of themselves, by the number that it has in the journal.
 *
 * A message is read by the birth that was the last one before it, whenever it is read: what has
 * been shown is read again to be stored, while later births are known already. Those that nothing
 * can ask for any more, as all behind them is stored, are forgotten. A thing is GROUP/NODE or
 * GROUP/NODE/DEVICE. There are at most as many of them, and of metrics of each, as the options say;
 * those that are known go on. One thread.
 */

#include "base/base.h"

typedef struct Birth Birth;
typedef struct Births Births;
typedef struct SparkplugTable SparkplugTable;
typedef void (*BirthsDeviceFn)(void *arg, Text device); /* its last level */

#define BIRTHS_VERSIONS 64 /* of one thing that are not stored yet; of more the oldest go */

enum {
        BIRTHS_E_FULL = 1, /* one thing too many */
        BIRTHS_E_NONE,     /* no birth: it cannot be read */
};

struct Birth {
        uint64_t seq;
        SparkplugTable *table;
        int64_t bd_seq;     /* of a node; -1: it said none */
        uint64_t alive_seq; /* which message said first that the thing lives, or is gone; 0: none */
        uint64_t dead_seq;
};

MUST_CHECK int births_new(Births **ret_births, size_t max_things, size_t max_metrics);
Births *births_free(Births *births);

/* A birth with that number. Nothing where it is known already. 0, BIRTHS_E_…, -ENOMEM. */
MUST_CHECK int births_add(Births *births, Text thing, uint64_t seq, Text payload);
/* The last one before that number; NULL: there is none. */
const Birth *births_before(const Births *births, Text thing, uint64_t seq);

/* Message @seq says that the thing lives, or is gone: is it the first to do so since the birth
 * before it? True as well where there was none. */
bool births_is_first_alive(Births *births, Text thing, uint64_t seq);
bool births_is_first_dead(Births *births, Text thing, uint64_t seq);

/* Is that what message @seq brings told for the first time? Only of things with a birth. */
bool births_tell(Births *births, Text thing, uint64_t seq);
/* Counter @count (0 to 255) of message @seq of that node: is it another than that behind the last
 * one's? Read once, in the order of the journal; what is read again is not. */
bool births_is_gap(Births *births, Text node, uint64_t seq, uint64_t count, bool begins);
/* Message @seq of that node had that counter, as a database remembers it. Nothing of a node that is
 * not known, or where a later one was read. */
void births_set_count(Births *births, Text node, uint64_t seq, uint64_t count);
/* May a node be asked to be born again? Then not again for @pause_us. */
bool births_may_ask(Births *births, Text node, int64_t now_us, int64_t pause_us);

/* The devices of a node that were born before @seq, and have not gone since. */
void births_each_device(const Births *births,
                        Text node,
                        uint64_t seq,
                        BirthsDeviceFn fn,
                        void *arg);

size_t births_length(const Births *births);       /* things */
void births_stored(Births *births, uint64_t seq); /* all up to here is */
/* What is behind @stored_seq has numbers that are larger by @by from here on. */
void births_move(Births *births, uint64_t stored_seq, uint64_t by);

DEFINE_CLEANUP(Births *, births_free);
