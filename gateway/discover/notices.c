#include "gateway/discover/notices.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/index.h"
#include "base/json_out.h"
#include "base/name.h"
#include "base/text.h"
#include "base/vec.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/json_tree.h"
#include "gateway/discover/entity.h"
#include "gateway/discover/tasmota.h"

#define NOTICES_FIRST 64
#define NOTICES_BLOCK ((size_t)16 * 1024)

typedef struct Entry Entry;

struct Entry {
        char *topic, *payload;
        size_t n_topic, n_payload;
        bool is_heard; /* since the start */
        bool is_fresh; /* since notices_begin() */
        bool is_missing;
};

struct Notices {
        pthread_mutex_t lock;
        const DiscoverRule *rules; /* {lock} borrowed */
        size_t n_rules;            /* {lock} */
        Entry **entries;           /* {lock} in their order */
        size_t n, capacity;        /* {lock} */
        Index *by_topic;           /* {lock} of entries */
        size_t n_bytes;            /* {lock} of all */
        size_t max_bytes;
};

/* ---- one of them -------------------------------------------------------------------------- */

static Entry *entry_free(Entry *entry) {
        if (!entry)
                return NULL;
        free(entry->topic);
        free(entry->payload);
        free(entry);
        return NULL;
}

DEFINE_CLEANUP(Entry *, entry_free);

static Entry *entry_new(Text topic, Text payload) {
        CLEANUP(entry_free) Entry *entry = calloc(1, sizeof(*entry));

        if (!entry)
                return NULL;
        *entry = (Entry){ .topic = strndup(topic.data, topic.n),
                          .payload = strndup(payload.data, payload.n),
                          .n_topic = topic.n,
                          .n_payload = payload.n,
                          .is_heard = true,
                          .is_fresh = true };
        return entry->topic && entry->payload ? TAKE(&entry) : NULL;
}

static size_t entry_bytes(const Entry *entry) {
        return entry->n_topic + entry->n_payload;
}

static Notice entry_notice(const Entry *entry, const DiscoverRule *rules, size_t n_rules) {
        Notice notice = { .topic = { entry->topic, entry->n_topic },
                          .payload = { entry->payload, entry->n_payload },
                          .is_missing = entry->is_missing };

        for (size_t i = 0; i < n_rules && !notice.rule; ++i)
                if (discover_rule_takes(&rules[i], notice.topic, &notice.rest, &notice.user))
                        notice.rule = &rules[i];
        return notice;
}

/* ---- room --------------------------------------------------------------------------------- */

static bool is_same_party(const Notice *a, const Notice *b) {
        return a->rule == b->rule && text_equal(a->user, b->user);
}

static size_t notices_party_bytes(const Notices *notices, const Notice *like) {
        size_t n_bytes = 0;

        for (size_t i = 0; i < notices->n; ++i) {
                const Notice notice =
                        entry_notice(notices->entries[i], notices->rules, notices->n_rules);

                if (is_same_party(&notice, like))
                        n_bytes += entry_bytes(notices->entries[i]);
        }
        return n_bytes;
}

static void notices_remove(Notices *notices, size_t at) {
        Entry *entry = notices->entries[at];

        index_remove(notices->by_topic, entry->topic, entry->n_topic);
        notices->n_bytes -= entry_bytes(entry);
        memmove(&notices->entries[at],
                &notices->entries[at + 1],
                (notices->n - at - 1) * sizeof(Entry *));
        --notices->n;
        entry_free(entry);
}

static size_t notices_place(const Notices *notices, const Entry *entry) {
        size_t at = 0;

        while (notices->entries[at] != entry)
                ++at;
        return at;
}

/* The first of the party that nobody has heard again; false: there is none. */
static bool notices_drop_stale(Notices *notices, const Notice *like) {
        for (size_t i = 0; i < notices->n; ++i) {
                const Notice notice =
                        entry_notice(notices->entries[i], notices->rules, notices->n_rules);

                if (notices->entries[i]->is_heard || !is_same_party(&notice, like))
                        continue;
                notices_remove(notices, i);
                return true;
        }
        return false;
}

static bool notices_make_room(Notices *notices, const Notice *notice, size_t n_more) {
        size_t most = notice->rule->max_devices * NOTICES_PER_DEVICE;

        if (notices->n_bytes + n_more <= most && notices->n_bytes + n_more <= notices->max_bytes)
                return true;
        while (notices->n_bytes + n_more > notices->max_bytes ||
               notices_party_bytes(notices, notice) + n_more > most)
                if (!notices_drop_stale(notices, notice))
                        return false;
        return true;
}

/* ---- hearing ------------------------------------------------------------------------------ */

static bool notices_is_one(const Notice *notice) {
        return notice->rule &&
               (entity_is_notice(notice->rest) || tasmota_part(notice->rest) != TASMOTA_NONE);
}

static NoticeFate notices_replace(Notices *notices,
                                  Entry *before,
                                  const Notice *notice,
                                  Entry **entryp) {
        bool is_same, was_missing;

        if (!before) {
                if (!VEC_HAS_ROOM(notices->entries, notices->n, notices->capacity, NOTICES_FIRST) ||
                    index_put(notices->by_topic, notice->topic.data, notice->topic.n, *entryp) != 0)
                        return NOTICE_BOUND;
                notices->n_bytes += entry_bytes(*entryp);
                notices->entries[notices->n++] = TAKE(entryp);
                return NOTICE_NEWS;
        }
        is_same = before->n_payload == notice->payload.n &&
                  memcmp(before->payload, notice->payload.data, before->n_payload) == 0;
        was_missing = before->is_missing;
        before->is_heard = before->is_fresh = true;
        before->is_missing = false;
        if (is_same)
                return was_missing ? NOTICE_NEWS : NOTICE_NONE;
        notices->n_bytes += notice->payload.n - before->n_payload;
        free(before->payload);
        before->payload = TAKE(&(*entryp)->payload);
        before->n_payload = notice->payload.n;
        return NOTICE_NEWS;
}

/* {lock} */
static NoticeFate notices_take(Notices *notices, const Notice *notice) {
        CLEANUP(entry_free) Entry *entry = NULL;
        Entry *before = index_get(notices->by_topic, notice->topic.data, notice->topic.n);
        size_t n_before = before ? before->n_payload : 0;

        if (notice->payload.n == 0) {
                if (before)
                        notices_remove(notices, notices_place(notices, before));
                return before ? NOTICE_NEWS : NOTICE_NONE;
        }
        if (notice->payload.n > notice->rule->max_bytes || !name_is_printable(notice->topic))
                return NOTICE_BOUND;
        if (before)
                before->is_heard = before->is_fresh = true; /* it is not the one that gives way */
        if (notice->payload.n > n_before &&
            !notices_make_room(notices,
                               notice,
                               notice->payload.n - n_before + (before ? 0 : notice->topic.n)))
                return NOTICE_BOUND;
        entry = entry_new(notice->topic, notice->payload);
        return entry ? notices_replace(notices, before, notice, &entry) : NOTICE_BOUND;
}

static bool notices_is_clean(Text payload) {
        static const Text mark = TEXT("\xef\xbb\xbf");

        return name_is_utf8(payload) &&
               (payload.n < mark.n || memcmp(payload.data, mark.data, mark.n) != 0);
}

/* What is no JSON is kept as well, so that it can be listed: as text. */
static void notices_put_text(Text payload, Buf *buf) {
        size_t i = 0;

        while (i < payload.n) {
                size_t n = text_char_length(payload.data + i, payload.data + payload.n);

                if (n > 0)
                        buf_append(buf, payload.data + i, n);
                else
                        buf_append_string(buf, "\xef\xbf\xbd");
                i += n > 0 ? n : 1;
        }
}

/* A payload that has odd bytes is to be as every other door takes it. false: no memory. */
static bool notices_clean(const Notice *notice, Buf *buf) {
        int r = decode_clean(notice->payload, buf);

        if (r < 0) {
                err_up(r);
                return false;
        }
        if (r > 0) {
                buf_reset(buf);
                notices_put_text(notice->payload, buf);
        }
        return !buf_failed(buf);
}

NoticeFate notices_hear(Notices *notices, Text topic, Text payload) {
        CLEANUP_BUF Buf clean = { 0 };
        NoticeFate fate = NOTICE_NONE;
        Notice notice = { .topic = topic, .payload = payload };
        bool is_lost = false;

        pthread_mutex_lock(&notices->lock);
        for (size_t i = 0; i < notices->n_rules && !notice.rule; ++i)
                if (discover_rule_takes(&notices->rules[i], topic, &notice.rest, &notice.user))
                        notice.rule = &notices->rules[i];
        if (notices_is_one(&notice) && notice.payload.n <= notice.rule->max_bytes &&
            !notices_is_clean(payload)) {
                is_lost = !notices_clean(&notice, &clean);
                notice.payload = buf_text(&clean);
        }
        if (notices_is_one(&notice))
                fate = is_lost ? NOTICE_BOUND : notices_take(notices, &notice);
        pthread_mutex_unlock(&notices->lock);
        return fate;
}

void notices_set_rules(Notices *notices, const DiscoverRule rules[], size_t n_rules) {
        pthread_mutex_lock(&notices->lock);
        notices->rules = rules;
        notices->n_rules = n_rules;
        for (size_t i = notices->n; i-- > 0;) {
                const Notice notice = entry_notice(notices->entries[i], rules, n_rules);

                if (!notices_is_one(&notice))
                        notices_remove(notices, i);
        }
        pthread_mutex_unlock(&notices->lock);
}

void notices_begin(Notices *notices) {
        pthread_mutex_lock(&notices->lock);
        for (size_t i = 0; i < notices->n; ++i)
                notices->entries[i]->is_fresh = false;
        pthread_mutex_unlock(&notices->lock);
}

bool notices_settle(Notices *notices, size_t *ret_n_missing) {
        bool is_other = false;

        *ret_n_missing = 0;
        pthread_mutex_lock(&notices->lock);
        for (size_t i = 0; i < notices->n; ++i) {
                Entry *entry = notices->entries[i];

                is_other |= entry->is_missing == entry->is_fresh;
                entry->is_missing = !entry->is_fresh;
                *ret_n_missing += entry->is_missing;
        }
        pthread_mutex_unlock(&notices->lock);
        return is_other;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The sensors of a Tasmota stand beside its config. */
static Text notices_sensors(const Notices *notices, const Notice *config) {
        static const Text tail = TEXT("config"), wanted = TEXT("sensors");
        char topic[PATH_MAX];
        size_t n = config->topic.n - tail.n;
        const Entry *entry;

        if (n + wanted.n > sizeof(topic))
                return (Text){ 0 };
        memcpy(topic, config->topic.data, n);
        memcpy(topic + n, wanted.data, wanted.n);
        entry = index_get(notices->by_topic, topic, n + wanted.n);
        return entry ? (Text){ .data = entry->payload, .n = entry->n_payload } : (Text){ 0 };
}

static int notices_read_one(const Notices *notices, const Entry *entry, Findings *findings) {
        const Notice notice = entry_notice(entry, notices->rules, notices->n_rules);
        int r = 0;

        switch (tasmota_part(notice.rest)) {
        case TASMOTA_CONFIG:
                r = tasmota_read(findings, &notice, notices_sensors(notices, &notice));
                break;
        case TASMOTA_SENSORS:
                break; /* with the config */
        case TASMOTA_NONE:
        default:
                r = entity_read(findings, &notice);
                break;
        }
        return err_up(r);
}

int notices_read(Notices *notices, Routes *own, Findings **ret_findings) {
        CLEANUP(findings_free) Findings *findings = NULL;
        int r = findings_new(&findings, own);

        if (r != 0)
                return err_up(r);
        pthread_mutex_lock(&notices->lock);
        for (size_t i = 0; r == 0 && i < notices->n; ++i)
                r = notices_read_one(notices, notices->entries[i], findings);
        pthread_mutex_unlock(&notices->lock);
        if (r != 0)
                return err_up(r);
        *ret_findings = TAKE(&findings);
        return 0;
}

size_t notices_length(Notices *notices) {
        size_t n;

        pthread_mutex_lock(&notices->lock);
        n = notices->n;
        pthread_mutex_unlock(&notices->lock);
        return n;
}

size_t notices_bytes(Notices *notices) {
        size_t n;

        pthread_mutex_lock(&notices->lock);
        n = notices->n_bytes;
        pthread_mutex_unlock(&notices->lock);
        return n;
}

/* ---- the file ----------------------------------------------------------------------------- */

static void notices_write(Notices *notices, Buf *buf) {
        pthread_mutex_lock(&notices->lock);
        for (size_t i = 0; i < notices->n; ++i) {
                const Entry *entry = notices->entries[i];
                JsonOut out = { .buf = buf };

                json_out_object(&out, NULL);
                json_out_text(&out, "topic", (Text){ entry->topic, entry->n_topic });
                json_out_text(&out, "payload", (Text){ entry->payload, entry->n_payload });
                if (entry->is_missing)
                        json_out_bool(&out, "missing", true);
                json_out_object_end(&out);
                buf_append_char(buf, '\n');
        }
        pthread_mutex_unlock(&notices->lock);
}

static bool notices_put(int fd, Text text) {
        bool failed = fd < 0;

        while (!failed && text.n > 0) {
                ssize_t n = write(fd, text.data, text.n);

                failed = n <= 0;
                if (!failed)
                        text = (Text){ .data = text.data + n, .n = text.n - (size_t)n };
        }
        failed = failed || fsync(fd) < 0;
        if (fd >= 0)
                failed = close(fd) < 0 || failed;
        return !failed;
}

bool notices_save(Notices *notices, const char *path) {
        CLEANUP_BUF Buf buf = { 0 };
        char next[PATH_MAX];

        notices_write(notices, &buf);
        if (buf_failed(&buf) || snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next)) {
                errno = ENOMEM;
                return false;
        }
        return notices_put(open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                           buf_text(&buf)) &&
               rename(next, path) == 0;
}

static int notices_load_line(Notices *notices, Text line, JsonTree *tree, Arena *arena) {
        const JsonNode *topic, *payload, *missing;
        Text texts[2] = { { 0 }, { 0 } };
        JsonFault fault;
        Entry *entry;
        int r = json_tree_read(tree, line, &fault);

        if (r < 0)
                return err_up(r);
        if (r > 0)
                return 0; /* another program has written there */
        topic = json_member(tree, json_root(tree), TEXT("topic"));
        payload = json_member(tree, json_root(tree), TEXT("payload"));
        missing = json_member(tree, json_root(tree), TEXT("missing"));
        if (!topic || topic->type != JSON_STRING || !payload || payload->type != JSON_STRING)
                return 0;
        r = json_content(tree, topic, arena, &texts[0]);
        if (r == 0)
                r = json_content(tree, payload, arena, &texts[1]);
        if (r != 0)
                return err_up(r);
        (void)notices_hear(notices, texts[0], texts[1]);
        pthread_mutex_lock(&notices->lock);
        entry = index_get(notices->by_topic, texts[0].data, texts[0].n);
        if (entry) {
                entry->is_heard = entry->is_fresh = false; /* not by this process */
                entry->is_missing = missing && missing->type == JSON_TRUE;
        }
        pthread_mutex_unlock(&notices->lock);
        return 0;
}

int notices_load(Notices *notices, const char *path) {
        CLEANUP(arena_free) Arena *arena = NULL;
        FILE *file = fopen(path, "re");
        JsonTree tree = { 0 };
        char *line = NULL;
        size_t n_line = 0;
        ssize_t n;
        int r = arena_new(&arena, NOTICES_BLOCK);

        while (r == 0 && file && (n = getline(&line, &n_line, file)) > 0) {
                r = notices_load_line(notices,
                                      (Text){ .data = line, .n = (size_t)n },
                                      &tree,
                                      arena);
                arena_reset(arena);
        }
        json_tree_done(&tree);
        free(line);
        if (file)
                (void)fclose(file);
        return err_up(r);
}

/* ---- life --------------------------------------------------------------------------------- */

int notices_new(Notices **ret_notices, size_t max_bytes) {
        CLEANUP(notices_free) Notices *notices = calloc(1, sizeof(*notices));
        int r;

        if (!notices)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&notices->lock, NULL));
        notices->max_bytes = max_bytes;
        r = index_new(&notices->by_topic);
        if (r != 0)
                return err_up(r);
        *ret_notices = TAKE(&notices);
        return 0;
}

Notices *notices_free(Notices *notices) {
        if (!notices)
                return NULL;
        for (size_t i = 0; i < notices->n; ++i)
                entry_free(notices->entries[i]);
        free(notices->entries);
        index_free(notices->by_topic);
        MUST(pthread_mutex_destroy(&notices->lock));
        free(notices);
        return NULL;
}
