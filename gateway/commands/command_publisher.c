#include "gateway/commands/command_publisher.h"

#include <stdio.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "model/metrics.h"
#include "model/topic.h"
#include "mqtt/publisher.h"

enum {
        COMMAND_PUBLISHER_TOPICS = 4,
        COMMAND_PUBLISHER_CONNECT_MS = 2000,
        COMMAND_PUBLISHER_ANSWER_MS = 3000,
        COMMAND_PUBLISHER_BACKOFF_MS = 250,
        COMMAND_PUBLISHER_BACKOFF_MAX_MS = 5000,
        COMMAND_PUBLISHER_HANG_UPS = 2, /* of one parcel; the rest of it waits for its next turn */
        COMMAND_PUBLISHER_SUSPECTS = 256,  /* devices whose commands go alone */
        COMMAND_PUBLISHER_MEMORY_S = 600,  /* for so long after the last time */
        COMMAND_PUBLISHER_PAUSE_MS = 2000, /* between such, growing */
        COMMAND_PUBLISHER_PAUSE_MAX_MS = 60000,
};

typedef struct CommandPublisherItem CommandPublisherItem;
typedef struct CommandPublisherSuspect CommandPublisherSuspect;

struct CommandPublisherItem {
        char command_id[QUERY_COMMAND_ID_SIZE];
        int64_t device_id;
        unsigned expiry_s;
        Buf payload;
        char *topics[COMMAND_PUBLISHER_TOPICS]; /* owned, as is the next */
        size_t n_topics;
        char *ack_topic; /* NULL = none */
        bool is_held;    /* of a device that is suspect */
        bool is_chosen;  /* to be sent now */
        bool is_open;    /* sent, and the broker has not said whether it takes it */
};

/* A device for which there was a command on which the broker hung up. */
struct CommandPublisherSuspect {
        int64_t device_id;
        int64_t seen_us; /* monotonic: the last time */
        Backoff backoff; /* until the next command may go */
};

struct CommandPublisher {
        MqttOptions mqtt;
        MqttPublisher *mqtt_publisher; /* NULL: there is no broker */
        TopicTemplate *topics[COMMAND_PUBLISHER_TOPICS], *ack_topic;
        size_t n_topics;
        Backoff backoff;
        bool is_reported;

        CommandPublisherItem items[COMMAND_PUBLISHER_PARCEL];
        size_t n_items;
        CommandPublisherSuspect suspects[COMMAND_PUBLISHER_SUSPECTS];
        size_t n_suspects;
        size_t n_turns; /* with those: each begins with another item */
        LogPace said_hung_up, said_denied;
};

/* ---- templates ---- */

static int command_publisher_template(TopicTemplate **ret_template, char *text) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        int r;

        r = topic_template_new(&template, text);
        if (r < 0)
                return err_up(r);
        if (r > 0 || !topic_template_is_plain(template) ||
            !topic_template_has(template, "device") || topic_template_has(template, "vehicle"))
                return COMMAND_PUBLISHER_E_TOPIC;
        *ret_template = TAKE(&template);
        return 0;
}

static int command_publisher_read_topics(CommandPublisher *publisher, const char *topics) {
        Text rest = text_of(topics);
        Text item;
        int r = 0;

        while (r == 0 && text_next_item(&rest, ", \t", &item)) {
                char *text = strndup(item.data, item.n);

                if (!text)
                        return err_new(-ENOMEM);
                r = publisher->n_topics < COMMAND_PUBLISHER_TOPICS
                            ? command_publisher_template(&publisher->topics[publisher->n_topics],
                                                         text)
                            : COMMAND_PUBLISHER_E_TOPIC;
                publisher->n_topics += r == 0;
                free(text);
        }
        return r < 0 ? err_up(r) : r;
}

bool command_publisher_check_topics(const char *topics) {
        CLEANUP(command_publisher_free) CommandPublisher *publisher = calloc(1, sizeof(*publisher));

        return !publisher || command_publisher_read_topics(publisher, topics) <= 0;
}

/* ---- life ---- */

static int command_publisher_init(CommandPublisher *publisher,
                                  const CommandPublisherOptions *options) {
        int r;

        r = command_publisher_read_topics(publisher, options->topics);
        if (r == 0 && options->ack_topic && *options->ack_topic) {
                char *text = strdup(options->ack_topic);

                r = text ? command_publisher_template(&publisher->ack_topic, text)
                         : err_new(-ENOMEM);
                free(text);
        }
        if (r != 0 || !options->mqtt || publisher->n_topics == 0)
                return r < 0 ? err_up(r) : r;

        publisher->mqtt = *options->mqtt;
        if (publisher->mqtt.connect_timeout_ms > COMMAND_PUBLISHER_CONNECT_MS)
                publisher->mqtt.connect_timeout_ms = COMMAND_PUBLISHER_CONNECT_MS;
        r = mqtt_publisher_new(&publisher->mqtt_publisher,
                               &publisher->mqtt,
                               COMMAND_PUBLISHER_PARCEL * COMMAND_PUBLISHER_TOPICS);
        return r < 0 ? err_up(r) : r;
}

int command_publisher_new(CommandPublisher **ret_publisher,
                          const CommandPublisherOptions *options) {
        CLEANUP(command_publisher_free) CommandPublisher *publisher = calloc(1, sizeof(*publisher));
        int r;

        if (!publisher)
                return err_new(-ENOMEM);
        r = command_publisher_init(publisher, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_publisher = TAKE(&publisher);
        return 0;
}

static void command_publisher_empty(CommandPublisher *publisher) {
        for (size_t i = 0; i < publisher->n_items; ++i) {
                CommandPublisherItem *item = &publisher->items[i];

                for (size_t k = 0; k < item->n_topics; ++k)
                        free(item->topics[k]);
                free(item->ack_topic);
                buf_done(&item->payload);
                *item = (CommandPublisherItem){ 0 };
        }
        publisher->n_items = 0;
}

CommandPublisher *command_publisher_free(CommandPublisher *publisher) {
        if (!publisher)
                return NULL;

        command_publisher_empty(publisher);
        mqtt_publisher_free(publisher->mqtt_publisher);
        for (size_t i = 0; i < publisher->n_topics; ++i)
                topic_template_free(publisher->topics[i]);
        topic_template_free(publisher->ack_topic);
        free(publisher);
        return NULL;
}

/* ---- the broker ---- */

static void command_publisher_away(CommandPublisher *publisher) {
        if (!publisher->is_reported)
                log_warning("commands_broker_away reason=\"%s\"",
                            mqtt_publisher_error(publisher->mqtt_publisher));
        publisher->is_reported = true;
        (void)backoff_fail(&publisher->backoff,
                           COMMAND_PUBLISHER_BACKOFF_MS,
                           COMMAND_PUBLISHER_BACKOFF_MAX_MS);
}

bool command_publisher_is_ready(CommandPublisher *publisher) {
        if (!publisher->mqtt_publisher)
                return false;
        if (mqtt_publisher_is_online(publisher->mqtt_publisher))
                return true;
        if (backoff_left_ms(&publisher->backoff) > 0)
                return false;
        if (mqtt_publisher_connect(publisher->mqtt_publisher) != 0) {
                command_publisher_away(publisher);
                return false;
        }
        if (publisher->is_reported)
                log_info("commands_broker_connected");
        publisher->is_reported = false;
        publisher->backoff = (Backoff){ 0 };
        return true;
}

void command_publisher_say(CommandPublisher *publisher, const char *topic, Text payload) {
        if (command_publisher_is_ready(publisher))
                (void)!mqtt_publisher_publish(publisher->mqtt_publisher, topic, payload, 1, false);
}

/* ---- the parcel ---- */

/* Codes are free text, and not all text is a level of a topic: then the id names the device, in the
 * form that is no other's code. */
static char *command_publisher_expand(const TopicTemplate *template, const DbCommand *command) {
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

void command_publisher_add_as(CommandPublisher *publisher, const DbCommand *command, Text payload) {
        CommandPublisherItem *item = &publisher->items[publisher->n_items];

        assert(publisher->n_items < COMMAND_PUBLISHER_PARCEL);
        ++publisher->n_items;
        snprintf(item->command_id, sizeof(item->command_id), "%s", command->command_id);
        item->device_id = command->device_id;
        item->expiry_s = (unsigned)((command->left_ms + 999) / 1000);
        if (item->expiry_s == 0)
                item->expiry_s = 1;
        buf_append_text(&item->payload, payload);
        for (size_t i = 0; i < publisher->n_topics; ++i) {
                item->topics[item->n_topics] =
                        command_publisher_expand(publisher->topics[i], command);
                item->n_topics += item->topics[item->n_topics] != NULL;
        }
        if (publisher->ack_topic)
                item->ack_topic = command_publisher_expand(publisher->ack_topic, command);
}

void command_publisher_add(CommandPublisher *publisher, const DbCommand *command) {
        CLEANUP_BUF Buf payload = { 0 };

        db_command_rows_format(command, &payload);
        command_publisher_add_as(publisher, command, buf_text(&payload));
        publisher->items[publisher->n_items - 1].payload.failed |= buf_failed(&payload);
}

size_t command_publisher_length(const CommandPublisher *publisher) {
        return publisher->n_items;
}

/* The messages of one item: the same payload on each of its topics. */
static size_t command_publisher_pack(const CommandPublisherItem *item, MqttMessage messages[]) {
        size_t n = 0;

        for (size_t i = 0; i < item->n_topics && !buf_failed(&item->payload); ++i)
                messages[n++] = (MqttMessage){
                        .qos = 1,
                        .topic = item->topics[i],
                        .payload = buf_text(&item->payload),
                        .response_topic = item->ack_topic,
                        .correlation = text_of(item->command_id),
                        .expiry_s = item->expiry_s,
                };
        return n;
}

/* True: the broker has it, on all of its topics. */
static bool command_publisher_has(const CommandPublisherItem *item, const MqttOutcome outcomes[]) {
        if (item->n_topics == 0 || buf_failed(&item->payload))
                return false;
        for (size_t i = 0; i < item->n_topics; ++i)
                if (outcomes[i] != MQTT_OUTCOME_DONE)
                        return false;
        return true;
}

/* The broker says no (a list of its rights, a quota): it is tried again until it expires, and who
 * wonders why nothing comes has to find the reason somewhere. */
static void command_publisher_note_denied(CommandPublisher *publisher,
                                          const CommandPublisherItem *item,
                                          const MqttOutcome outcomes[]) {
        unsigned long long n_more;
        size_t k = 0;

        while (k < item->n_topics && outcomes[k] != MQTT_OUTCOME_REFUSED)
                ++k;
        if (k == item->n_topics)
                return;
        metric_add(METRIC_COMMANDS_DENIED, 1);
        if (log_may(&publisher->said_denied, &n_more))
                log_warning("command_denied command_id=%s device_id=%lld more=%llu hint=\"the "
                            "broker "
                            "does not let us write to the topics of commands.topics\"",
                            item->command_id,
                            (long long)item->device_id,
                            n_more);
}

/* All that are chosen, at once. What the broker has said nothing of is open still. 0, or
 * MQTT_PUBLISHER_E_OFFLINE where it left some open. */
static int command_publisher_send_chosen(CommandPublisher *publisher,
                                         CommandPublisherFn fn,
                                         void *arg) {
        MqttMessage messages[COMMAND_PUBLISHER_PARCEL * COMMAND_PUBLISHER_TOPICS] = { 0 };
        MqttOutcome outcomes[COMMAND_PUBLISHER_PARCEL * COMMAND_PUBLISHER_TOPICS];
        size_t n = 0, at = 0;
        int r;

        for (size_t i = 0; i < publisher->n_items; ++i)
                if (publisher->items[i].is_chosen)
                        n += command_publisher_pack(&publisher->items[i], messages + n);
        r = mqtt_publisher_publish_all(publisher->mqtt_publisher,
                                       messages,
                                       n,
                                       COMMAND_PUBLISHER_ANSWER_MS,
                                       outcomes);
        if (r < 0)
                return err_up(r);
        for (size_t i = 0; i < publisher->n_items; ++i) {
                CommandPublisherItem *item = &publisher->items[i];

                if (!item->is_chosen)
                        continue;
                item->is_chosen = item->is_open = false;
                if (buf_failed(&item->payload))
                        continue;
                for (size_t k = 0; k < item->n_topics; ++k)
                        item->is_open |= outcomes[at + k] == MQTT_OUTCOME_PENDING;
                command_publisher_note_denied(publisher, item, outcomes + at);
                if (command_publisher_has(item, outcomes + at))
                        fn(arg, item->command_id, item->device_id);
                at += item->n_topics;
        }
        return r;
}

/* ---- what it hangs up on ---- */

static CommandPublisherSuspect *command_publisher_suspect(CommandPublisher *publisher,
                                                          int64_t device_id) {
        for (size_t i = 0; i < publisher->n_suspects; ++i)
                if (publisher->suspects[i].device_id == device_id)
                        return &publisher->suspects[i];
        return NULL;
}

static void command_publisher_forget_suspects(CommandPublisher *publisher) {
        int64_t old_us = clock_mono_us() - COMMAND_PUBLISHER_MEMORY_S * INT64_C(1000000);
        size_t n = 0;

        for (size_t i = 0; i < publisher->n_suspects; ++i)
                if (publisher->suspects[i].seen_us > old_us)
                        publisher->suspects[n++] = publisher->suspects[i];
        publisher->n_suspects = n;
}

/* A place for one more: the one that has been there for longest gives way. */
static CommandPublisherSuspect *command_publisher_new_suspect(CommandPublisher *publisher,
                                                              int64_t device_id) {
        CommandPublisherSuspect *oldest = &publisher->suspects[0];

        if (publisher->n_suspects < COMMAND_PUBLISHER_SUSPECTS)
                oldest = &publisher->suspects[publisher->n_suspects++];
        else
                for (size_t i = 1; i < COMMAND_PUBLISHER_SUSPECTS; ++i)
                        if (publisher->suspects[i].seen_us < oldest->seen_us)
                                oldest = &publisher->suspects[i];
        *oldest = (CommandPublisherSuspect){ .device_id = device_id };
        return oldest;
}

/* It was sent alone, and the broker hung up. */
static void command_publisher_blame(CommandPublisher *publisher, const CommandPublisherItem *item) {
        CommandPublisherSuspect *suspect = command_publisher_suspect(publisher, item->device_id);
        unsigned long long n_more;

        if (!suspect)
                suspect = command_publisher_new_suspect(publisher, item->device_id);
        (void)backoff_fail(&suspect->backoff,
                           COMMAND_PUBLISHER_PAUSE_MS,
                           COMMAND_PUBLISHER_PAUSE_MAX_MS);
        suspect->seen_us = clock_mono_us();

        metric_add(METRIC_COMMANDS_HUNG_UP, 1);
        if (log_may(&publisher->said_hung_up, &n_more))
                log_warning("command_hung_up command_id=%s device_id=%lld bytes=%zu more=%llu",
                            item->command_id,
                            (long long)item->device_id,
                            item->payload.n,
                            n_more);
}

/* One alone. *ret_hung_up: the broker broke the connection. 0, or MQTT_PUBLISHER_E_OFFLINE: it says
 * nothing, or cannot be reached. */
static int command_publisher_send_alone(CommandPublisher *publisher,
                                        CommandPublisherItem *item,
                                        CommandPublisherFn fn,
                                        void *arg,
                                        bool *ret_hung_up) {
        int r;

        *ret_hung_up = false;
        if (!command_publisher_is_ready(publisher))
                return MQTT_PUBLISHER_E_OFFLINE;
        item->is_chosen = true;
        r = command_publisher_send_chosen(publisher, fn, arg);
        if (r <= 0)
                return r == 0 ? 0 : err_up(r);
        *ret_hung_up = !mqtt_publisher_is_online(publisher->mqtt_publisher);
        if (*ret_hung_up)
                command_publisher_blame(publisher, item);
        return *ret_hung_up ? 0 : r;
}

/* The broker hung up on one of them, and nobody knows on which: each by itself. */
static int command_publisher_find_out(CommandPublisher *publisher,
                                      CommandPublisherFn fn,
                                      void *arg) {
        int n_hang_ups = 0, r = 0;
        bool hung_up;

        for (size_t i = 0;
             r == 0 && i < publisher->n_items && n_hang_ups < COMMAND_PUBLISHER_HANG_UPS;
             ++i) {
                CommandPublisherItem *item = &publisher->items[i];

                if (!item->is_open || command_publisher_suspect(publisher, item->device_id))
                        continue;
                r = command_publisher_send_alone(publisher, item, fn, arg, &hung_up);
                n_hang_ups += r == 0 && hung_up;
        }
        return r < 0 ? err_up(r) : r;
}

/* Those of devices that are suspect, each alone, up to the first that it hangs up on; the next turn
 * begins with another. */
static int command_publisher_try_suspects(CommandPublisher *publisher,
                                          CommandPublisherFn fn,
                                          void *arg) {
        size_t first = publisher->n_turns++;
        bool hung_up = false;
        int r = 0;

        for (size_t i = 0; r == 0 && !hung_up && i < publisher->n_items; ++i) {
                CommandPublisherItem *item = &publisher->items[(first + i) % publisher->n_items];
                CommandPublisherSuspect *suspect =
                        command_publisher_suspect(publisher, item->device_id);

                if (!item->is_held || !suspect || backoff_left_ms(&suspect->backoff) > 0)
                        continue;
                r = command_publisher_send_alone(publisher, item, fn, arg, &hung_up);
                if (r == 0 && !hung_up)
                        suspect->backoff = (Backoff){ 0 };
        }
        return r < 0 ? err_up(r) : r;
}

int command_publisher_send(CommandPublisher *publisher,
                           CommandPublisherFn fn,
                           void *arg,
                           bool *ret_answers) {
        size_t n = 0;
        int r = 0;

        command_publisher_forget_suspects(publisher);
        for (size_t i = 0; i < publisher->n_items; ++i) {
                CommandPublisherItem *item = &publisher->items[i];

                item->is_held = command_publisher_suspect(publisher, item->device_id);
                item->is_chosen = !item->is_held;
                n += item->is_chosen;
        }
        if (n > 0)
                r = command_publisher_send_chosen(publisher, fn, arg);
        if (r > 0 && !mqtt_publisher_is_online(publisher->mqtt_publisher))
                r = command_publisher_find_out(publisher, fn, arg);
        if (r == 0)
                r = command_publisher_try_suspects(publisher, fn, arg);
        command_publisher_empty(publisher);
        if (r < 0)
                return err_up(r);
        *ret_answers = r == 0;
        if (r > 0) /* what is under way ends with the session */
                mqtt_publisher_disconnect(publisher->mqtt_publisher);
        return 0;
}
