#include "gateway/store/merged.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/index.h"
#include "gateway/store/overlay.h"
#include "model/metrics.h"
#include "model/record.h"

#define MERGED_BLOCK    ((size_t)16 * 1024)
#define MERGED_PAUSE_US INT64_C(60000000) /* between two looks for devices that are gone */

typedef struct Document Document;

struct Document {
        int64_t device_id;
        uint64_t device_key; /* key_hash; 0: as the database has it */
        uint64_t seq;
        char *text;
        size_t n;
};

struct Merged {
        Index *documents; /* by device; owned */
        MergedOptions options;
        Arena *arena;      /* scratch */
        Buf buf;           /* likewise */
        int64_t pruned_us; /* monotonic; 0: never */
};

int merged_new(Merged **ret_merged, const MergedOptions *options) {
        CLEANUP(merged_free) Merged *merged = calloc(1, sizeof(*merged));
        int r;

        if (!merged)
                return err_new(-ENOMEM);
        merged->options = *options;
        r = index_new(&merged->documents);
        if (r == 0)
                r = arena_new(&merged->arena, MERGED_BLOCK);
        if (r != 0)
                return err_up(r);
        *ret_merged = TAKE(&merged);
        return 0;
}

static void document_free(void *arg, void *value) {
        Document *document = value;

        (void)arg;
        free(document->text);
        free(document);
}

Merged *merged_free(Merged *merged) {
        if (!merged)
                return NULL;
        if (merged->documents)
                index_each(merged->documents, document_free, NULL);
        index_free(merged->documents);
        arena_free(merged->arena);
        buf_done(&merged->buf);
        free(merged);
        return NULL;
}

static Document *merged_of(const Merged *merged, int64_t device_id) {
        return index_get_id(merged->documents, device_id);
}

/* What it is laid over; not of whoever had that id before. */
static Document *merged_for(const Merged *merged, const Record *record) {
        Document *document = merged_of(merged, record->device_id);

        return document && thing_is_same(document->device_key, record->device_key) ? document
                                                                                   : NULL;
}

static void merged_say_length(const Merged *merged) {
        metric_set(METRIC_MERGED_DOCUMENTS, (int64_t)index_length(merged->documents));
}

/* ---- room ---- */

typedef struct Pruning Pruning;

struct Pruning {
        Merged *merged;
        const Registry *registry;
};

static void pruning_look(void *arg, void *value) {
        const Pruning *pruning = arg;
        Document *document = value;

        if (registry_device(pruning->registry, document->device_id))
                return;
        index_remove_id(pruning->merged->documents, document->device_id);
        document_free(NULL, document);
}

static bool merged_is_full(const Merged *merged) {
        return index_length(merged->documents) >= (size_t)merged->options.max_devices;
}

/* For one more; looking costs as much as there are, and is done now and then. */
static bool merged_has_room(Merged *merged, const Registry *registry) {
        Pruning pruning = { .merged = merged, .registry = registry };
        int64_t now_us = clock_mono_us();

        if (!merged_is_full(merged))
                return true;
        if (merged->pruned_us != 0 && now_us - merged->pruned_us < MERGED_PAUSE_US)
                return false;
        merged->pruned_us = now_us;
        index_each(merged->documents, pruning_look, &pruning);
        merged_say_length(merged);
        return !merged_is_full(merged);
}

/* ---- documents ---- */

static void merged_drop(Merged *merged, int64_t device_id) {
        Document *document = merged_of(merged, device_id);

        if (!document)
                return;
        index_remove_id(merged->documents, device_id);
        document_free(NULL, document);
        merged_say_length(merged);
}

static int merged_make(Merged *merged, int64_t device_id, Document **ret_document) {
        Document *document = calloc(1, sizeof(*document));
        int r;

        if (!document)
                return err_new(-ENOMEM);
        document->device_id = device_id;
        r = index_put_id(merged->documents, device_id, document);
        if (r != 0) {
                free(document);
                return err_up(r);
        }
        merged_say_length(merged);
        *ret_document = document;
        return 0;
}

static int document_set(Document *document, uint64_t seq, Text text) {
        char *copy = malloc(text.n + 1);

        if (!copy)
                return err_new(-ENOMEM);
        memcpy(copy, text.data, text.n);
        copy[text.n] = '\0';
        free(document->text);
        document->text = copy;
        document->n = text.n;
        document->seq = seq;
        return 0;
}

static Text document_text(const Document *document) {
        return (Text){ .data = document->text, .n = document->n };
}

static bool merged_fits(const Merged *merged, Text text) {
        return text.n <= (size_t)merged->options.max_bytes;
}

/* What the record comes to, in merged->buf or its own; absent: it is too long by itself. */
static int merged_reckon(Merged *merged, const Document *document, Text data, Text *ret_text) {
        int r;

        *ret_text = data;
        if (document) {
                buf_reset(&merged->buf);
                arena_reset(merged->arena);
                r = overlay(&merged->buf, merged->arena, document_text(document), data);
                if (r != 0)
                        return err_up(r);
                *ret_text = buf_text(&merged->buf);
        }
        if (merged_fits(merged, *ret_text))
                return 0;
        metric_add(METRIC_MERGED_TOO_LARGE, 1);
        *ret_text = merged_fits(merged, data) ? data : (Text){ 0 };
        return 0;
}

static int record_set(const Document *document, Arena *arena, Record *record) {
        record->merged = arena_copy(arena, document->text, document->n);
        record->merged_seq = document->seq;
        return record->merged.data ? 0 : err_new(-ENOMEM);
}

int merged_lay(Merged *merged, const Registry *registry, Arena *arena, Record *record) {
        Document *document = merged_for(merged, record);
        Text text;
        int r;

        if (!document)
                merged_drop(merged, record->device_id);
        if (document && record->seq <= document->seq)
                return record_set(document, arena, record);
        if (!document && !merged_has_room(merged, registry)) {
                metric_add(METRIC_MERGED_REFUSED, 1);
                return 0;
        }
        r = merged_reckon(merged, document, record->data, &text);
        if (r != 0 || !text.data)
                return err_up(r);
        if (!document)
                r = merged_make(merged, record->device_id, &document);
        if (r == 0)
                r = document_set(document, record->seq, text);
        if (r == 0)
                document->device_key = record->device_key;
        if (r == 0)
                r = record_set(document, arena, record);
        return r == 0 ? 0 : err_up(r);
}

int merged_restore(Merged *merged, int64_t device_id, uint64_t seq, Text text) {
        Document *document = merged_of(merged, device_id);
        int r = 0;

        if (document ? document->seq >= seq : merged_is_full(merged))
                return 0;
        if (!document)
                r = merged_make(merged, device_id, &document);
        if (r == 0)
                r = document_set(document, seq, text);
        return r == 0 ? 0 : err_up(r);
}

void merged_look(const Merged *merged, bool goes_on, Record *record) {
        const Document *document =
                record->kind == KIND_TELEMETRY ? merged_for(merged, record) : NULL;

        if (!document || (!goes_on && document->seq < record->seq))
                return;
        record->merged = document_text(document);
        record->merged_seq = document->seq;
}

size_t merged_length(const Merged *merged) {
        return index_length(merged->documents);
}

static void document_move(void *arg, void *value) {
        Document *document = value;

        record_move(arg, &document->seq);
}

void merged_move(Merged *merged, uint64_t stored_seq, uint64_t by) {
        RecordShift shift = { .stored_seq = stored_seq, .by = by };

        index_each(merged->documents, document_move, &shift);
}
