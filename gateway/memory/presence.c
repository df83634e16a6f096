#include "gateway/memory/presence.h"

#include "base/err.h"
#include "base/index.h"
#include "base/json_out.h"
#include "base/text.h"
#include "model/record.h"

#define PRESENCE_BETWEEN '\t' /* device and topic: neither has one */

typedef struct Words Words;

/* What a topic has said of a device, by ascending numbers. */
struct Words {
        uint64_t seq[PRESENCE_WORDS];
        bool is_here[PRESENCE_WORDS];
        size_t n;
};

struct Presence {
        Index *words; /* owned; by presence_key() */
};

int presence_new(Presence **ret_presence) {
        CLEANUP(presence_free) Presence *presence = calloc(1, sizeof(*presence));
        int r;

        if (!presence)
                return err_new(-ENOMEM);
        r = index_new(&presence->words);
        if (r != 0)
                return err_up(r);
        *ret_presence = TAKE(&presence);
        return 0;
}

static void words_free(void *arg, void *value) {
        (void)arg;
        free(value);
}

Presence *presence_free(Presence *presence) {
        if (!presence)
                return NULL;
        if (presence->words)
                index_each(presence->words, words_free, NULL);
        index_free(presence->words);
        free(presence);
        return NULL;
}

/* ---- keys --------------------------------------------------------------------------------- */

void presence_key(Text device, Text topic, Buf *buf) {
        buf_append_string(buf, PRESENCE_KEY);
        buf_append_text(buf, device);
        buf_append_char(buf, PRESENCE_BETWEEN);
        buf_append_text(buf, topic);
}

bool presence_is_key(Text key) {
        return text_begins(key, TEXT(PRESENCE_KEY));
}

static Words *presence_words(const Presence *presence, Text device, Text topic) {
        CLEANUP_BUF Buf key = { 0 };

        presence_key(device, topic, &key);
        return buf_failed(&key) ? NULL : index_get(presence->words, key.data, key.n);
}

/* ---- saying ------------------------------------------------------------------------------- */

/* Those of before go first; one that is older than all that are kept is not kept. */
static void words_put(Words *words, uint64_t seq, bool is_here) {
        size_t at = words->n;

        while (at > 0 && words->seq[at - 1] > seq)
                --at;
        if (at > 0 && words->seq[at - 1] == seq)
                return;
        if (words->n == PRESENCE_WORDS) {
                if (at-- == 0)
                        return;
                --words->n;
                memmove(words->seq, words->seq + 1, words->n * sizeof(*words->seq));
                memmove(words->is_here, words->is_here + 1, words->n * sizeof(*words->is_here));
        }
        memmove(words->seq + at + 1, words->seq + at, (words->n - at) * sizeof(*words->seq));
        memmove(words->is_here + at + 1,
                words->is_here + at,
                (words->n - at) * sizeof(*words->is_here));
        words->seq[at] = seq;
        words->is_here[at] = is_here;
        ++words->n;
}

static void presence_begin_anew(Presence *presence) {
        index_each(presence->words, words_free, NULL);
        presence->words = index_free(presence->words);
}

static int presence_put(Presence *presence, Text key, uint64_t seq, bool is_here) {
        Words *words = index_get(presence->words, key.data, key.n);
        int r = 0;

        if (!words && index_length(presence->words) >= PRESENCE_MAX) {
                presence_begin_anew(presence);
                r = index_new(&presence->words);
        }
        if (r != 0)
                return err_up(r);
        if (!words) {
                words = calloc(1, sizeof(*words));
                if (!words)
                        return err_new(-ENOMEM);
                r = index_put(presence->words, key.data, key.n, words);
                if (r != 0) {
                        free(words);
                        return err_up(r);
                }
        }
        words_put(words, seq, is_here);
        return 0;
}

int presence_say(Presence *presence, Text device, Text topic, uint64_t seq, bool is_here) {
        CLEANUP_BUF Buf key = { 0 };

        presence_key(device, topic, &key);
        if (buf_failed(&key))
                return err_new(-ENOMEM);
        return err_up(presence_put(presence, buf_text(&key), seq, is_here));
}

int presence_restore(Presence *presence, Text key, Text said, uint64_t seq) {
        return err_up(presence_put(presence, key, seq, text_equal(said, TEXT("online"))));
}

/* ---- asking ------------------------------------------------------------------------------- */

static PresenceAnswer presence_of(const Presence *presence, Text device, Text topic, uint64_t seq) {
        const Words *words = presence_words(presence, device, topic);
        size_t n = words ? words->n : 0;

        while (n > 0 && words->seq[n - 1] > seq)
                --n;
        if (n == 0)
                return PRESENCE_UNKNOWN;
        return words->is_here[n - 1] ? PRESENCE_HERE : PRESENCE_AWAY;
}

PresenceAnswer presence_ask(const Presence *presence, const PresenceAsked *asked, uint64_t seq) {
        PresenceAnswer decides = asked->is_all ? PRESENCE_AWAY : PRESENCE_HERE;
        PresenceAnswer answer = asked->is_all ? PRESENCE_HERE : PRESENCE_AWAY;

        for (size_t i = 0; i < asked->n_topics; ++i) {
                PresenceAnswer one =
                        presence_of(presence, asked->device, text_of(asked->topics[i]), seq);

                if (one == decides)
                        return decides;
                if (one == PRESENCE_UNKNOWN)
                        answer = PRESENCE_UNKNOWN;
        }
        return answer;
}

void presence_write(const Presence *presence, const PresenceAsked *asked, uint64_t seq, Buf *buf) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        for (size_t i = 0; i < asked->n_topics; ++i) {
                PresenceAnswer one =
                        presence_of(presence, asked->device, text_of(asked->topics[i]), seq);

                if (one != PRESENCE_UNKNOWN)
                        json_out_string(&out,
                                        asked->topics[i],
                                        one == PRESENCE_HERE ? "online" : "offline");
        }
        json_out_object_end(&out);
}

/* ---- numbers ------------------------------------------------------------------------------ */

static void words_move(void *arg, void *value) {
        Words *words = value;

        for (size_t i = 0; i < words->n; ++i)
                record_move(arg, &words->seq[i]);
}

void presence_move(Presence *presence, uint64_t stored_seq, uint64_t by) {
        RecordShift shift = { .stored_seq = stored_seq, .by = by };

        index_each(presence->words, words_move, &shift);
}
