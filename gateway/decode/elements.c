#include "gateway/decode/elements.h"

#include <stdio.h>

#include "base/err.h"
#include "gateway/decode/decoder.h"

/* ---- taking apart ---- */

static int elements_find(Elements *elements, Decoder *decoder) {
        const Route *route = elements->route;
        const char *path = json_path_text(route->each);
        const JsonNode *list = json_path_find(route->each, &decoder->tree, decoder->root);

        if (!list || (list->type == JSON_NULL && !list->odd))
                return decoder_refuse(decoder, REASON_MISSING_MEMBER, "%s: missing", path);
        if (list->type != JSON_ARRAY && !(list->type == JSON_OBJECT && route->each_members))
                return decoder_refuse_value(decoder,
                                            REASON_WRONG_TYPE,
                                            list,
                                            route->each_members ? "neither array nor object"
                                                                : "not an array");
        elements->list = list;
        elements->n = list->type == JSON_ARRAY ? list->n : list->n / 2;
        elements->at = list + 1;
        json_pointer(&decoder->tree, list, elements->pointer, sizeof(elements->pointer));
        if (elements->n <= route->each_max)
                return 0;
        return decoder_refuse(decoder,
                              REASON_TOO_LARGE,
                              "%s: %zu elements, each_max allows %u",
                              path,
                              elements->n,
                              route->each_max);
}

int elements_open(Elements *elements,
                  Arena *arena,
                  const Route *route,
                  const TopicMatch *match,
                  const Record *envelope,
                  Parsed *parsed) {
        Decoder decoder = { .arena = arena, .route = route, .parsed = parsed };
        int r;

        elements_done(elements);
        elements->route = route;
        if (match)
                elements->match = *match;
        r = decoder_head(&decoder, match, envelope, &elements->whole);
        if (r == 0)
                r = decoder_parse_value(&decoder);
        if (r == 0)
                r = elements_find(elements, &decoder);
        elements->tree = decoder.tree;
        elements->whole.n_notes = 0;
        if (r < 0)
                return err_up(r);
        elements->whole.reason = (Reason)r;
        return 0;
}

void elements_done(Elements *elements) {
        json_tree_done(&elements->tree);
        buf_done(&elements->frame);
        *elements = (Elements){ 0 };
}

uint32_t elements_count(const Elements *elements) {
        return elements->whole.reason != REASON_NONE || elements->n == 0 ? 1
                                                                         : (uint32_t)elements->n;
}

/* ---- one of them ---- */

/* The value; of an object it has its name in front. Mostly the one behind the last. */
static const JsonNode *elements_at(Elements *elements, size_t i) {
        bool is_object = elements->list->type == JSON_OBJECT;

        if (i < elements->i_at) {
                elements->at = elements->list + 1;
                elements->i_at = 0;
        }
        for (; elements->i_at < i; ++elements->i_at)
                elements->at = json_next(elements->at + is_object);
        return elements->at + is_object;
}

static bool elements_is_within(const JsonNode *node, const JsonNode *outer) {
        return node >= outer && node < json_next(outer);
}

/* May what stands beside the list be kept? Only if all of it, once for each letter that there can
 * be, is no more than a message may grow to. */
static bool elements_have_room(const Elements *elements) {
        size_t n_beside = elements->tree.text.n - elements->list->length;

        return n_beside <=
               DECODER_MAX_GROWTH * elements->route->max_bytes / elements_count(elements);
}

static void elements_write_list(Elements *elements) {
        bool is_object = elements->list->type == JSON_OBJECT;

        buf_append_char(&elements->frame, is_object ? '{' : '[');
        elements->hole = elements->frame.n;
        buf_append_char(&elements->frame, is_object ? '}' : ']');
}

static void elements_write_name(Elements *elements, const JsonNode *name, bool is_any) {
        if (is_any)
                buf_append_string(&elements->frame, "\"\"");
        else
                json_write(&elements->frame, &elements->tree, name);
        buf_append_char(&elements->frame, ':');
}

/* Without room: what leads to the list, and in front of it in an array as many nulls as it has
 * neighbours there, for its place. Where any place will do, and any name, it needs neither. As deep
 * as a path goes. */
static void elements_write(Elements *elements, const JsonNode *node, size_t level) {
        bool is_object = node->type == JSON_OBJECT, has_room = elements_have_room(elements);
        bool is_any = !has_room && json_path_is_any(elements->route->each, level);
        bool is_led = false;
        Buf *buf = &elements->frame;
        const JsonNode *child = node + 1;
        size_t n_before = 0;

        if (node == elements->list) {
                elements_write_list(elements);
                return;
        }
        buf_append_char(buf, is_object ? '{' : '[');
        for (size_t i = 0; i < node->n && (has_room || !is_led); i += is_object ? 2 : 1) {
                const JsonNode *value = child + is_object;
                bool leads = elements_is_within(elements->list, value);

                is_led = is_led || leads;
                child = json_next(value);
                if (!leads && !has_room && (is_object || is_any))
                        continue;
                if (n_before++ > 0)
                        buf_append_char(buf, ',');
                if (is_object)
                        elements_write_name(elements, value - 1, is_any);
                if (leads)
                        elements_write(elements, value, level + 1);
                else if (has_room)
                        json_write(buf, &elements->tree, value);
                else
                        buf_append_string(buf, "null");
        }
        buf_append_char(buf, is_object ? '}' : ']');
}

/* "/readings/3". Its place is what it was in the message that came, also if that came again. */
static int elements_point(const Elements *elements,
                          Decoder *decoder,
                          const JsonNode *value,
                          size_t place) {
        char whole[ELEMENTS_POINTER_SIZE + 24];

        if (elements->list->type == JSON_ARRAY)
                snprintf(whole, sizeof(whole), "%s/%zu", elements->pointer, place);
        else
                json_pointer(&elements->tree, value, whole, ELEMENTS_POINTER_SIZE);
        decoder->pointer = arena_copy(decoder->arena, whole, strlen(whole) + 1).data;
        return decoder->pointer ? 0 : err_new(-ENOMEM);
}

/* What is around the elements is written once for all of them. */
static int elements_keep_payload(Elements *elements,
                                 Arena *arena,
                                 const JsonNode *value,
                                 Record *record) {
        CLEANUP_BUF Buf buf = { 0 };
        Text frame;

        if (elements->frame.n == 0)
                elements_write(elements, json_root(&elements->tree), 0);
        frame = buf_text(&elements->frame);
        buf_append(&buf, frame.data, elements->hole);
        if (elements->list->type == JSON_OBJECT) {
                json_write(&buf, &elements->tree, value - 1);
                buf_append_char(&buf, ':');
        }
        json_write(&buf, &elements->tree, value);
        buf_append(&buf, frame.data + elements->hole, frame.n - elements->hole);
        if (buf_failed(&elements->frame) || buf_failed(&buf))
                return err_new(-ENOMEM);
        record->payload = arena_copy(arena, buf.data, buf.n);
        return record->payload.data ? 0 : err_new(-ENOMEM);
}

static int elements_decode_one(Elements *elements,
                               Arena *arena,
                               size_t i,
                               const JsonNode *value,
                               Record *record) {
        Decoder decoder = { .arena = arena,
                            .route = elements->route,
                            .record = record,
                            .body = json_text(&elements->tree, value),
                            .whole = &elements->tree };
        int r;

        record->element = record->element != 0 ? record->element : (int64_t)i + 1;
        if (elements->list->type == JSON_OBJECT)
                decoder.key = value - 1;
        r = elements_point(elements, &decoder, value, (size_t)record->element - 1);
        if (r == 0)
                r = elements_keep_payload(elements, arena, value, record);
        if (r == 0)
                r = decoder_tail(&decoder, &elements->match);
        return r == 0 ? 0 : err_up(r);
}

int elements_decode(Elements *elements,
                    Arena *arena,
                    size_t i,
                    const Record *envelope,
                    Record *ret_record) {
        const JsonNode *value;
        int r;

        *ret_record = elements->whole;
        ret_record->seq = envelope->seq;
        if (elements->whole.reason != REASON_NONE)
                return 0;
        assert(elements->n == 0 || i < elements->n);
        value = elements->n > 0 ? elements_at(elements, i) : NULL;
        if (!value || (value->type == JSON_NULL && !value->odd)) {
                ret_record->ignored = ret_record->duplicate = true;
                return 0;
        }
        r = elements_decode_one(elements, arena, i, value, ret_record);
        return r == 0 ? 0 : err_up(r);
}
