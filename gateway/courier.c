#include "gateway/courier.h"

#include <stdio.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/log.h"
#include "gateway/base/topic.h"
#include "mqtt/publisher.h"

enum {
        COURIER_TOPICS = 4,
        COURIER_CONNECT_MS = 2000,
        COURIER_ANSWER_MS = 3000,
        COURIER_BACKOFF_MS = 250,
        COURIER_BACKOFF_MAX_MS = 5000,
};

typedef struct CourierItem CourierItem;

struct CourierItem {
        char command_id[QUERY_COMMAND_ID_SIZE];
        int64_t device_id;
        unsigned expiry_s;
        Buf payload;
        char *topics[COURIER_TOPICS]; /* owned, as is the next */
        size_t n_topics;
        char *ack_topic; /* NULL = none */
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

/* Codes are free text, and not all text is a level of a topic: then the number names the device. */
static char *courier_expand(const TopicTemplate *template, const DbCommand *command) {
        char id[24];
        TopicMatch match = { .user = text_of(command->user_name),
                             .device = text_of(command->device_code) };
        char *topic = NULL;

        if (topic_template_expand(template, &match, &topic) == 0)
                return topic;
        snprintf(id, sizeof(id), "%lld", (long long)command->device_id);
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

static size_t courier_pack(const Courier *courier, MqttMessage messages[]) {
        size_t n = 0;

        for (size_t i = 0; i < courier->n_items; ++i) {
                const CourierItem *item = &courier->items[i];

                for (size_t k = 0; k < item->n_topics && !buf_failed(&item->payload); ++k)
                        messages[n++] = (MqttMessage){
                                .topic = item->topics[k],
                                .payload = buf_text(&item->payload),
                                .response_topic = item->ack_topic,
                                .correlation = text_of(item->command_id),
                                .expiry_s = item->expiry_s,
                        };
        }
        return n;
}

int courier_send(Courier *courier, CourierFn fn, void *arg, bool *ret_answers) {
        MqttMessage messages[COURIER_PARCEL * COURIER_TOPICS];
        MqttOutcome outcomes[COURIER_PARCEL * COURIER_TOPICS];
        size_t n = courier_pack(courier, messages);
        int r;

        r = mqtt_publisher_publish_all(courier->publisher,
                                       messages,
                                       n,
                                       COURIER_ANSWER_MS,
                                       outcomes);
        if (r < 0)
                return err_up(r);
        n = 0;
        for (size_t i = 0; i < courier->n_items; ++i) {
                const CourierItem *item = &courier->items[i];
                bool done = item->n_topics > 0 && !buf_failed(&item->payload);

                for (size_t k = 0; k < item->n_topics && !buf_failed(&item->payload); ++k)
                        done &= outcomes[n++] == MQTT_OUTCOME_DONE;
                if (done)
                        fn(arg, item->command_id, item->device_id);
        }
        courier_empty(courier);
        if (r > 0) /* a broker that does not answer: what is under way ends with the session */
                mqtt_publisher_disconnect(courier->publisher);
        *ret_answers = r == 0;
        return 0;
}
