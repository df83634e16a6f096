#include "gateway/commands/courier.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "model/topic.h"
#include "mqtt/publisher.h"

enum {
        COURIER_TOPICS = 4,
        COURIER_CONNECT_MS = 2000,
        COURIER_ANSWER_MS = 3000,
        COURIER_BACKOFF_MS = 250,
        COURIER_BACKOFF_MAX_MS = 5000,
        COURIER_HANG_UPS = 2,    /* of one parcel; the rest of it waits for its next turn */
        COURIER_SUSPECTS = 256,  /* devices whose commands go alone */
        COURIER_MEMORY_S = 600,  /* for so long after the last time */
        COURIER_PAUSE_MS = 2000, /* between such, growing */
        COURIER_PAUSE_MAX_MS = 60000,
        COURIER_LOG_S = 60, /* between lines about them */
};

typedef struct CourierItem CourierItem;
typedef struct CourierSuspect CourierSuspect;

struct CourierItem {
        char command_id[QUERY_COMMAND_ID_SIZE];
        int64_t device_id;
        unsigned expiry_s;
        Buf payload;
        char *topics[COURIER_TOPICS]; /* owned, as is the next */
        size_t n_topics;
        char *ack_topic; /* NULL = none */
        bool is_held;    /* of a device that is suspect */
        bool is_chosen;  /* to be sent now */
        bool is_open;    /* sent, and the broker has not said whether it takes it */
};

/* A device for which there was a command on which the broker hung up. */
struct CourierSuspect {
        int64_t device_id;
        int64_t seen_us, due_us; /* monotonic: the last time, and when the next command may go */
        int pause_ms;
};

struct Courier {
        MqttOptions mqtt;
        MqttPublisher *publisher; /* NULL: there is no broker */
        TopicTemplate *topics[COURIER_TOPICS], *ack_topic;
        size_t n_topics;
        int64_t retry_at_us;
        int backoff_ms;
        bool is_reported;

        CourierItem items[COURIER_PARCEL];
        size_t n_items;
        CourierSuspect suspects[COURIER_SUSPECTS];
        size_t n_suspects;
        size_t n_turns;               /* with those: each begins with another item */
        int64_t logged_us, denied_us; /* monotonic: of the last line of each sort */
};

/* ---- templates ---- */

/* The next of a comma-separated list, as heap memory; NULL at its end. */
static char *courier_next(const char **at) {
        size_t n;

        *at += strspn(*at, ", \t");
        n = strcspn(*at, ", \t");
        *at += n;
        return n > 0 ? strndup(*at - n, n) : NULL;
}

static int courier_template(TopicTemplate **ret_template, char *text) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        int r;

        r = topic_template_new(&template, text);
        if (r < 0)
                return err_up(r);
        if (r > 0 || !topic_template_has(template, "device") ||
            topic_template_has(template, "vehicle"))
                return COMMANDER_E_TOPIC;
        *ret_template = TAKE(&template);
        return 0;
}

static int courier_read_topics(Courier *courier, const char *topics) {
        const char *at = topics ? topics : "";
        char *text;
        int r = 0;

        while (r == 0 && (text = courier_next(&at))) {
                r = courier->n_topics < COURIER_TOPICS
                            ? courier_template(&courier->topics[courier->n_topics], text)
                            : COMMANDER_E_TOPIC;
                courier->n_topics += r == 0;
                free(text);
        }
        return r < 0 ? err_up(r) : r;
}

bool commander_check_topics(const char *topics) {
        CLEANUP(courier_free) Courier *courier = calloc(1, sizeof(*courier));

        return !courier || courier_read_topics(courier, topics) <= 0;
}

/* ---- life ---- */

static int courier_init(Courier *courier, const CommanderOptions *options) {
        int r;

        r = courier_read_topics(courier, options->topics);
        if (r == 0 && options->ack_topic && *options->ack_topic) {
                char *text = strdup(options->ack_topic);

                r = text ? courier_template(&courier->ack_topic, text) : err_new(-ENOMEM);
                free(text);
        }
        if (r != 0 || !options->mqtt || courier->n_topics == 0)
                return r < 0 ? err_up(r) : r;

        courier->mqtt = *options->mqtt;
        if (courier->mqtt.connect_timeout_ms > COURIER_CONNECT_MS)
                courier->mqtt.connect_timeout_ms = COURIER_CONNECT_MS;
        r = mqtt_publisher_new(&courier->publisher,
                               &courier->mqtt,
                               COURIER_PARCEL * COURIER_TOPICS);
        return r < 0 ? err_up(r) : r;
}

int courier_new(Courier **ret_courier, const CommanderOptions *options) {
        CLEANUP(courier_free) Courier *courier = calloc(1, sizeof(*courier));
        int r;

        if (!courier)
                return err_new(-ENOMEM);
        courier->backoff_ms = COURIER_BACKOFF_MS;
        r = courier_init(courier, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_courier = TAKE(&courier);
        return 0;
}

static void courier_empty(Courier *courier) {
        for (size_t i = 0; i < courier->n_items; ++i) {
                CourierItem *item = &courier->items[i];

                for (size_t k = 0; k < item->n_topics; ++k)
                        free(item->topics[k]);
                free(item->ack_topic);
                buf_done(&item->payload);
                *item = (CourierItem){ 0 };
        }
        courier->n_items = 0;
}

Courier *courier_free(Courier *courier) {
        if (!courier)
                return NULL;

        courier_empty(courier);
        mqtt_publisher_free(courier->publisher);
        for (size_t i = 0; i < courier->n_topics; ++i)
                topic_template_free(courier->topics[i]);
        topic_template_free(courier->ack_topic);
        free(courier);
        return NULL;
}

/* ---- the broker ---- */

static void courier_away(Courier *courier) {
        if (!courier->is_reported)
                log_warning("commands_broker_away reason=\"%s\"",
                            mqtt_publisher_error(courier->publisher));
        courier->is_reported = true;
        courier->retry_at_us = clock_mono_us() + courier->backoff_ms * INT64_C(1000);
        courier->backoff_ms *= 2;
        if (courier->backoff_ms > COURIER_BACKOFF_MAX_MS)
                courier->backoff_ms = COURIER_BACKOFF_MAX_MS;
}

bool courier_is_ready(Courier *courier) {
        if (!courier->publisher)
                return false;
        if (mqtt_publisher_is_online(courier->publisher))
                return true;
        if (clock_mono_us() < courier->retry_at_us)
                return false;
        if (mqtt_publisher_connect(courier->publisher) != 0) {
                courier_away(courier);
                return false;
        }
        if (courier->is_reported)
                log_info("commands_broker_connected");
        courier->is_reported = false;
        courier->backoff_ms = COURIER_BACKOFF_MS;
        return true;
}

/* ---- the parcel ---- */

/* Codes are free text, and not all text is a level of a topic: then the id names the device, in the
 * form that is no other's code. */
static char *courier_expand(const TopicTemplate *template, const DbCommand *command) {
        char id[24];
        TopicMatch match = { .user = text_of(command->user_name),
                             .device = text_of(command->device_code) };
        char *topic = NULL;

        if (topic_template_expand(template, &match, &topic) == 0)
                return topic;
        snprintf(id, sizeof(id), "id:%lld", (long long)command->device_id);
        match.device = text_of(id);
        return topic_template_expand(template, &match, &topic) == 0 ? topic : NULL;
}

void courier_add(Courier *courier, const DbCommand *command) {
        CourierItem *item = &courier->items[courier->n_items];

        assert(courier->n_items < COURIER_PARCEL);
        ++courier->n_items;
        snprintf(item->command_id, sizeof(item->command_id), "%s", command->command_id);
        item->device_id = command->device_id;
        item->expiry_s = (unsigned)((command->left_ms + 999) / 1000);
        if (item->expiry_s == 0)
                item->expiry_s = 1;
        db_commands_format(command, &item->payload);
        for (size_t i = 0; i < courier->n_topics; ++i) {
                item->topics[item->n_topics] = courier_expand(courier->topics[i], command);
                item->n_topics += item->topics[item->n_topics] != NULL;
        }
        if (courier->ack_topic)
                item->ack_topic = courier_expand(courier->ack_topic, command);
}

size_t courier_length(const Courier *courier) {
        return courier->n_items;
}

/* The messages of one item: the same payload on each of its topics. */
static size_t courier_pack(const CourierItem *item, MqttMessage messages[]) {
        size_t n = 0;

        for (size_t i = 0; i < item->n_topics && !buf_failed(&item->payload); ++i)
                messages[n++] = (MqttMessage){
                        .topic = item->topics[i],
                        .payload = buf_text(&item->payload),
                        .response_topic = item->ack_topic,
                        .correlation = text_of(item->command_id),
                        .expiry_s = item->expiry_s,
                };
        return n;
}

/* True: the broker has it, on all of its topics. */
static bool courier_has(const CourierItem *item, const MqttOutcome outcomes[]) {
        if (item->n_topics == 0 || buf_failed(&item->payload))
                return false;
        for (size_t i = 0; i < item->n_topics; ++i)
                if (outcomes[i] != MQTT_OUTCOME_DONE)
                        return false;
        return true;
}

/* The broker says no (a list of its rights, a quota): it is tried again until it expires, and who
 * wonders why nothing comes has to find the reason somewhere. */
static void courier_note_denied(Courier *courier,
                                const CourierItem *item,
                                const MqttOutcome outcomes[]) {
        int64_t now_us = clock_mono_us();
        size_t k = 0;

        while (k < item->n_topics && outcomes[k] != MQTT_OUTCOME_REFUSED)
                ++k;
        if (k == item->n_topics)
                return;
        metric_add(METRIC_COMMANDS_DENIED, 1);
        if (courier->denied_us != 0 &&
            now_us < courier->denied_us + COURIER_LOG_S * INT64_C(1000000))
                return;
        courier->denied_us = now_us;
        log_warning("command_denied command_id=%s device_id=%lld hint=\"the broker does not let us "
                    "write to the topics of commands.topics\"",
                    item->command_id,
                    (long long)item->device_id);
}

/* All that are chosen, at once. What the broker has said nothing of is open still. 0, or
 * MQTT_PUBLISHER_E_OFFLINE where it left some open. */
static int courier_send_chosen(Courier *courier, CourierFn fn, void *arg) {
        MqttMessage messages[COURIER_PARCEL * COURIER_TOPICS] = { 0 };
        MqttOutcome outcomes[COURIER_PARCEL * COURIER_TOPICS];
        size_t n = 0, at = 0;
        int r;

        for (size_t i = 0; i < courier->n_items; ++i)
                if (courier->items[i].is_chosen)
                        n += courier_pack(&courier->items[i], messages + n);
        r = mqtt_publisher_publish_all(courier->publisher,
                                       messages,
                                       n,
                                       COURIER_ANSWER_MS,
                                       outcomes);
        if (r < 0)
                return err_up(r);
        for (size_t i = 0; i < courier->n_items; ++i) {
                CourierItem *item = &courier->items[i];

                if (!item->is_chosen)
                        continue;
                item->is_chosen = item->is_open = false;
                if (buf_failed(&item->payload))
                        continue;
                for (size_t k = 0; k < item->n_topics; ++k)
                        item->is_open |= outcomes[at + k] == MQTT_OUTCOME_PENDING;
                courier_note_denied(courier, item, outcomes + at);
                if (courier_has(item, outcomes + at))
                        fn(arg, item->command_id, item->device_id);
                at += item->n_topics;
        }
        return r;
}

/* ---- what it hangs up on ---- */

static CourierSuspect *courier_suspect(Courier *courier, int64_t device_id) {
        for (size_t i = 0; i < courier->n_suspects; ++i)
                if (courier->suspects[i].device_id == device_id)
                        return &courier->suspects[i];
        return NULL;
}

static void courier_forget_suspects(Courier *courier) {
        int64_t old_us = clock_mono_us() - COURIER_MEMORY_S * INT64_C(1000000);
        size_t n = 0;

        for (size_t i = 0; i < courier->n_suspects; ++i)
                if (courier->suspects[i].seen_us > old_us)
                        courier->suspects[n++] = courier->suspects[i];
        courier->n_suspects = n;
}

/* A place for one more: the one that has been there for longest gives way. */
static CourierSuspect *courier_new_suspect(Courier *courier, int64_t device_id) {
        CourierSuspect *oldest = &courier->suspects[0];

        if (courier->n_suspects < COURIER_SUSPECTS)
                oldest = &courier->suspects[courier->n_suspects++];
        else
                for (size_t i = 1; i < COURIER_SUSPECTS; ++i)
                        if (courier->suspects[i].seen_us < oldest->seen_us)
                                oldest = &courier->suspects[i];
        *oldest = (CourierSuspect){ .device_id = device_id };
        return oldest;
}

/* It was sent alone, and the broker hung up. */
static void courier_blame(Courier *courier, const CourierItem *item) {
        CourierSuspect *suspect = courier_suspect(courier, item->device_id);
        int64_t now_us = clock_mono_us();

        if (!suspect)
                suspect = courier_new_suspect(courier, item->device_id);
        suspect->pause_ms = suspect->pause_ms == 0 ? COURIER_PAUSE_MS : 2 * suspect->pause_ms;
        if (suspect->pause_ms > COURIER_PAUSE_MAX_MS)
                suspect->pause_ms = COURIER_PAUSE_MAX_MS;
        suspect->seen_us = now_us;
        suspect->due_us = now_us + suspect->pause_ms * INT64_C(1000);

        metric_add(METRIC_COMMANDS_HUNG_UP, 1);
        if (courier->logged_us != 0 &&
            now_us < courier->logged_us + COURIER_LOG_S * INT64_C(1000000))
                return;
        courier->logged_us = now_us;
        log_warning("command_hung_up command_id=%s device_id=%lld bytes=%zu",
                    item->command_id,
                    (long long)item->device_id,
                    item->payload.n);
}

/* One alone. *ret_hung_up: the broker broke the connection. 0, or MQTT_PUBLISHER_E_OFFLINE: it says
 * nothing, or cannot be reached. */
static int courier_send_alone(Courier *courier,
                              CourierItem *item,
                              CourierFn fn,
                              void *arg,
                              bool *ret_hung_up) {
        int r;

        *ret_hung_up = false;
        if (!courier_is_ready(courier))
                return MQTT_PUBLISHER_E_OFFLINE;
        item->is_chosen = true;
        r = courier_send_chosen(courier, fn, arg);
        if (r <= 0)
                return r == 0 ? 0 : err_up(r);
        *ret_hung_up = !mqtt_publisher_is_online(courier->publisher);
        if (*ret_hung_up)
                courier_blame(courier, item);
        return *ret_hung_up ? 0 : r;
}

/* The broker hung up on one of them, and nobody knows on which: each by itself. */
static int courier_find_out(Courier *courier, CourierFn fn, void *arg) {
        int n_hang_ups = 0, r = 0;
        bool hung_up;

        for (size_t i = 0; r == 0 && i < courier->n_items && n_hang_ups < COURIER_HANG_UPS; ++i) {
                CourierItem *item = &courier->items[i];

                if (!item->is_open || courier_suspect(courier, item->device_id))
                        continue;
                r = courier_send_alone(courier, item, fn, arg, &hung_up);
                n_hang_ups += r == 0 && hung_up;
        }
        return r < 0 ? err_up(r) : r;
}

/* Those of devices that are suspect, each alone, up to the first that it hangs up on; the next turn
 * begins with another. */
static int courier_try_suspects(Courier *courier, CourierFn fn, void *arg) {
        size_t first = courier->n_turns++;
        bool hung_up = false;
        int r = 0;

        for (size_t i = 0; r == 0 && !hung_up && i < courier->n_items; ++i) {
                CourierItem *item = &courier->items[(first + i) % courier->n_items];
                CourierSuspect *suspect = courier_suspect(courier, item->device_id);

                if (!item->is_held || !suspect || clock_mono_us() < suspect->due_us)
                        continue;
                r = courier_send_alone(courier, item, fn, arg, &hung_up);
                if (r == 0 && !hung_up)
                        suspect->pause_ms = 0;
        }
        return r < 0 ? err_up(r) : r;
}

int courier_send(Courier *courier, CourierFn fn, void *arg, bool *ret_answers) {
        size_t n = 0;
        int r = 0;

        courier_forget_suspects(courier);
        for (size_t i = 0; i < courier->n_items; ++i) {
                CourierItem *item = &courier->items[i];

                item->is_held = courier_suspect(courier, item->device_id);
                item->is_chosen = !item->is_held;
                n += item->is_chosen;
        }
        if (n > 0)
                r = courier_send_chosen(courier, fn, arg);
        if (r > 0 && !mqtt_publisher_is_online(courier->publisher))
                r = courier_find_out(courier, fn, arg);
        if (r == 0)
                r = courier_try_suspects(courier, fn, arg);
        courier_empty(courier);
        if (r < 0)
                return err_up(r);
        *ret_answers = r == 0;
        if (r > 0) /* what is under way ends with the session */
                mqtt_publisher_disconnect(courier->publisher);
        return 0;
}
