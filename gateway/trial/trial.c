#include "gateway/trial/trial.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/resolve.h"
#include "gateway/trial/row_view.h"
#include "model/topic_filter.h"

#define TRIAL_BLOCK     ((size_t)64 * 1024)
#define TRIAL_TOPIC_MAX 65535

bool trial_is_topic(Text topic) {
        return topic.n > 0 && topic.n <= TRIAL_TOPIC_MAX && !memchr(topic.data, '+', topic.n) &&
               !memchr(topic.data, '#', topic.n) && json_check_text(topic) == REASON_NONE;
}

int trial_begin(Trial *trial, Text topic, bool is_json) {
        int r = arena_new(&trial->arena, TRIAL_BLOCK);

        if (r != 0)
                return err_up(r);
        trial->envelope.topic = topic;
        trial->envelope.received_us = trial->envelope.time_us = clock_now_us();
        view_init(&trial->view, is_json);
        view_text(&trial->view, "topic", topic);
        return 0;
}

void trial_done(Trial *trial) {
        view_done(&trial->view);
        parsed_done(&trial->parsed);
        arena_free(trial->arena);
}

/* ---- which route ---- */

void trial_show_origin(View *view, const Route *route) {
        view_string(view, "origin", route->origin ? route->origin : "default");
}

void trial_show_head(View *view, const Route *route) {
        view_string(view, "name", route->name);
        view_string(view, "topic", topic_template_text(route->topic));
        if (strcmp(topic_template_filter(route->topic), topic_template_pattern(route->topic)) != 0)
                view_string(view, "subscribed", topic_template_filter(route->topic));
        view_string(view, "kind", kind_name(route->kind));
}

static Text name_taken(const Route *route, const TopicMatch *match, Text name) {
        int other = topic_template_other(route->topic, name);

        if (other >= 0)
                return match->others[other];
        if (text_equal(name, TEXT("user")))
                return match->user;
        return text_equal(name, TEXT("vehicle")) ? match->vehicle : match->device;
}

/* What the names of the template take, in its order. */
static void show_taken(View *view, const Route *route, const TopicMatch *match) {
        const char *at = topic_template_text(route->topic);

        view_object(view, "captures");
        while ((at = strchr(at, '{')) != NULL) {
                size_t n = strcspn(++at, ".}");
                char name[64];

                snprintf(name, sizeof(name), "%.*s", (int)n, at);
                view_text(view, name, name_taken(route, match, text_of(name)));
        }
        view_object_end(view);
}

/* Whether the route takes it, in one word; -ENOMEM. */
static int judge(Trial *trial, const Route *route, const char **ret_word) {
        bool is_held = true;
        int r = 0;

        if (trial->n_asked > ROUTES_MAX_TAKING) {
                *ret_word = "not_asked";
                return 0;
        }
        if (route_ignores(route, trial->envelope.topic)) {
                trial->is_ignored = true;
                *ret_word = "ignores";
                return 0;
        }
        if (trial->winner && trial->is_sure) {
                *ret_word = "later";
                return 0;
        }
        if (trial->has_payload)
                r = decode_holds(trial->arena, route, &trial->envelope, &trial->parsed, &is_held);
        if (r != 0)
                return err_up(r);
        *ret_word = !is_held ? "condition" : route->when && !trial->has_payload ? "if" : "takes";
        if (is_held && !trial->winner)
                trial->winner = route;
        trial->is_sure = trial->is_sure || (is_held && (trial->has_payload || !route->when));
        return 0;
}

static int show_matches(Trial *trial) {
        const Routes *routes = trial->routes;
        View *view = &trial->view;
        int r = 0;

        view_array(view, "routes");
        for (size_t i = 0; r == 0 && i < routes_length(routes); ++i) {
                const Route *route = routes_get(routes, i);
                const char *word = NULL;
                TopicMatch match = { 0 };

                /* also one that then does not match, as a name would be empty */
                trial->n_asked += topic_filter_takes(topic_template_pattern(route->topic),
                                                     trial->envelope.topic);
                if (!topic_template_match(route->topic, trial->envelope.topic, &match))
                        continue;
                r = judge(trial, route, &word);
                view_object(view, NULL);
                trial_show_head(view, route);
                view_string(view, "verdict", word);
                if (route->when)
                        view_string(view, "when", condition_text(route->when));
                show_taken(view, route, &match);
                trial_show_origin(view, route);
                view_object_end(view);
        }
        view_array_end(view);
        return r;
}

int trial_explain(Trial *trial, bool *ret_is_taken) {
        int r = show_matches(trial);

        if (r != 0)
                return err_up(r);
        if (!trial->winner)
                view_string(&trial->view, "result", trial->is_ignored ? "ignored" : "no_route");
        *ret_is_taken = trial->winner || trial->is_ignored;
        return 0;
}

/* ---- which rows ---- */

/* What of many may be left of is none, where none is. */
static bool is_row(const Record *record) {
        return record->reason == REASON_NONE &&
               !(record->kind == KIND_BLE_DETECTIONS && record->detections.n_items == 0 &&
                 record->detections.n_set_aside > 0);
}

static bool show_letter(View *view, Reason reason, Text detail) {
        view_string(view, "result", "dead_letter");
        view_string(view, "reason", reason_name(reason));
        view_text(view, "detail", detail);
        return false;
}

static bool show_ignored(View *view) {
        view_string(view, "result", "ignored");
        return true;
}

PRINTF(2, 3) static void show_doubt(View *view, const char *format, ...) {
        va_list args;
        char text[512]; /* names have up to 128 bytes */

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        view_string(view, NULL, text);
}

/* No database is asked: whoever exists, and whose a thing is, decides what becomes of it there. */
static void show_doubts(View *view, const Record *record) {
        Text user = record->user, vehicle = record->vehicle, device = record->device;

        view_array(view, "not_looked_up");
        if (user.data)
                show_doubt(view,
                           "user %.*s: if there is none, unknown_user",
                           (int)user.n,
                           user.data);
        if (device.data)
                show_doubt(view,
                           "device %.*s: if there is none, %s",
                           (int)device.n,
                           device.data,
                           record->may_register ? "it is registered" : "unknown_device");
        if (vehicle.data)
                show_doubt(view,
                           "vehicle %.*s: if there is none, unknown_vehicle",
                           (int)vehicle.n,
                           vehicle.data);
        if (user.data && (device.data || vehicle.data))
                show_doubt(view,
                           "whose it is: if not of user %.*s, wrong_owner",
                           (int)user.n,
                           user.data);
        view_array_end(view);
}

static bool show_record(View *view, Record *record) {
        Text why;

        if (record->ignored)
                return show_ignored(view);
        if (record->reason == REASON_NONE)
                resolve_subject(record);
        if (record->reason != REASON_NONE)
                return show_letter(view, record->reason, record->detail);
        if (record->may_register && record->device.data &&
            !resolve_may_register(record->device, &why))
                return show_letter(view, REASON_UNKNOWN_DEVICE, why);
        view_string(view, "result", is_row(record) ? "row" : "dead_letter");
        row_view(view, record);
        if (is_row(record))
                show_doubts(view, record);
        return is_row(record);
}

/* Each as if it had come alone; *ret_is_taken says whether all that are told are rows. */
static int show_elements(Trial *trial, Elements *elements, bool *ret_is_taken) {
        uint32_t n = elements_count(elements), n_told = n;
        View *view = &trial->view;
        Record record;
        int r = 0;

        if (trial->max_elements > 0 && n > trial->max_elements)
                n_told = trial->max_elements;
        *ret_is_taken = true;
        view_array(view, "elements");
        for (uint32_t i = 0; r == 0 && i < n_told; ++i) {
                r = elements_decode(elements, trial->arena, i, &trial->envelope, &record);
                if (r != 0)
                        break;
                view_object(view, NULL);
                if (record.element > 0)
                        view_int(view, "index", record.element - 1);
                if (!show_record(view, &record))
                        *ret_is_taken = false;
                view_object_end(view);
        }
        view_array_end(view);
        if (n_told < n)
                view_int(view, "left_out", n - n_told);
        return r == 0 ? 0 : err_up(r);
}

static int show_winner(Trial *trial, bool *ret_is_taken) {
        Elements elements = { 0 };
        TopicMatch match = { 0 };
        Record record;
        bool is_list;
        int r;

        (void)topic_template_match(trial->winner->topic, trial->envelope.topic, &match);
        if (trial->winner->each) {
                r = elements_open(&elements,
                                  trial->arena,
                                  trial->winner,
                                  &match,
                                  &trial->envelope,
                                  NULL);
                is_list = r == 0 && elements.n > 0 && elements.whole.reason == REASON_NONE;
                if (is_list)
                        r = show_elements(trial, &elements, ret_is_taken);
                elements_done(&elements);
                if (r != 0 || is_list)
                        return err_up(r);
        }
        r = decode(trial->arena, trial->winner, &match, &trial->envelope, &record);
        if (r == 0)
                *ret_is_taken = show_record(&trial->view, &record);
        return r == 0 ? 0 : err_up(r);
}

static int show_result(Trial *trial, bool *ret_is_taken) {
        bool is_empty = trial->envelope.payload.n == 0; /* it only tells the broker to forget */
        View *view = &trial->view;
        int r = 0;

        view_string(view, "route", trial->winner ? trial->winner->name : NULL);
        if (is_empty || (!trial->winner && trial->is_ignored))
                *ret_is_taken = show_ignored(view);
        else if (!trial->winner)
                *ret_is_taken = show_letter(view, REASON_NO_ROUTE, (Text){ 0 });
        else
                r = show_winner(trial, ret_is_taken);
        return r == 0 ? 0 : err_up(r);
}

int trial_run(Trial *trial, Text payload, bool *ret_is_taken) {
        int r;

        trial->envelope.payload = payload;
        trial->has_payload = true;
        r = show_matches(trial);
        return r == 0 ? err_up(show_result(trial, ret_is_taken)) : err_up(r);
}
