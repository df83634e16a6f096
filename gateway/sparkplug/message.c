#include "gateway/sparkplug/message.h"

#include <stdio.h>

#include "base/err.h"
#include "gateway/sparkplug/payload.h"
#include "gateway/sparkplug/table.h"

typedef struct Item Item;
typedef struct Message Message;

struct Item {
        Text name;
        SparkplugMetric metric;
        uint32_t type;
        uint64_t time_ms;
        bool is_past;
};

struct Message {
        Buf *buf;
        size_t n_max;
        uint64_t time_ms;
        Item *items; /* owned, as is the next */
        Item **sorted;
        size_t n, n_past;
        bool has_time; /* a metric of that name */
        SparkplugNews *news;
};

static void message_done(Message *message) {
        free(message->items);
        free(message->sorted);
}

/* False: nobody knows what it is called. */
static bool message_name(const SparkplugTable *table, Item *item) {
        const SparkplugMetric *metric = &item->metric;
        const SparkplugTerm *term = NULL;

        if (table && metric->name.n > 0)
                term = sparkplug_table_name(table, metric->name);
        else if (table && metric->has_alias)
                term = sparkplug_table_alias(table, metric->alias);
        item->name = metric->name.n > 0 || !term ? metric->name : term->name;
        item->type = metric->type != 0 || !term ? metric->type : term->type;
        return item->name.n > 0;
}

static int message_compare(const void *a, const void *b) {
        const Item *left = *(Item *const *)a, *right = *(Item *const *)b;
        size_t n = left->name.n < right->name.n ? left->name.n : right->name.n;
        int order = memcmp(left->name.data, right->name.data, n);

        if (order == 0 && left->name.n != right->name.n)
                return left->name.n < right->name.n ? -1 : 1;
        if (order == 0)
                return left < right ? -1 : left > right;
        return order;
}

/* Of several values of a metric the last is that of now, of those that are not said to be past. */
static void message_find_past(Message *message) {
        bool has_now = false; /* of this name, behind the item */

        for (size_t i = 0; i < message->n; ++i)
                message->sorted[i] = &message->items[i];
        if (message->n > 1)
                qsort(message->sorted, message->n, sizeof(*message->sorted), message_compare);
        for (size_t i = message->n; i > 0; --i) {
                Item *item = message->sorted[i - 1];

                if (i < message->n && !text_equal(message->sorted[i]->name, item->name))
                        has_now = false;
                item->is_past = item->metric.is_historical || has_now;
                has_now = has_now || !item->is_past;
        }
}

static int64_t message_number(uint64_t number) {
        return number <= INT64_MAX ? (int64_t)number : -1;
}

static void message_note(Message *message, const Item *item) {
        const SparkplugValue *value = &item->metric.value;

        message->has_time |= text_equal(item->name, TEXT("timestamp"));
        if (text_equal(item->name, TEXT("bdSeq")) && value->form == SPARKPLUG_WHOLE)
                message->news->bd_seq = message_number(value->whole);
}

static int message_fill(Message *message,
                        const SparkplugPayload *payload,
                        const SparkplugTable *table) {
        size_t n = sparkplug_payload_length(payload);

        uint64_t seq;

        message->time_ms = sparkplug_payload_time_ms(payload);
        if (sparkplug_payload_seq(payload, &seq))
                message->news->seq = message_number(seq);
        message->items = calloc(n + 1, sizeof(*message->items));
        message->sorted = calloc(n + 1, sizeof(*message->sorted));
        if (!message->items || !message->sorted)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < n; ++i) {
                Item *item = &message->items[message->n];

                item->metric = sparkplug_payload_metric(payload, i);
                item->time_ms = item->metric.time_ms != 0 ? item->metric.time_ms : message->time_ms;
                if (message_name(table, item)) {
                        ++message->n;
                        message_note(message, item);
                } else if (message->news->n_unknown++ == 0) {
                        message->news->unknown_alias = item->metric.alias;
                }
        }
        if (message->n == 0 && message->news->n_unknown > 0)
                return SPARKPLUG_E_UNKNOWN;
        message_find_past(message);
        for (size_t i = 0; i < message->n; ++i)
                message->n_past += message->items[i].is_past;
        return 0;
}

static void message_begin(Message *message, uint64_t time_ms) {
        buf_append_char(message->buf, '{');
        if (time_ms != 0 && !message->has_time)
                buf_printf(message->buf, "\"timestamp\":%llu", (unsigned long long)time_ms);
}

static void message_comma(Message *message) {
        if (!buf_failed(message->buf) && message->buf->data[message->buf->n - 1] != '{')
                buf_append_char(message->buf, ',');
}

static int message_write_item(Message *message, const Item *item) {
        size_t n = item->name.n < sizeof(message->news->metric) ? item->name.n
                                                                : sizeof(message->news->metric) - 1;
        int r;

        message_comma(message);
        if (message->buf->n > message->n_max)
                return SPARKPLUG_E_LARGE;
        buf_json_string(message->buf, item->name);
        buf_append_char(message->buf, ':');
        r = sparkplug_value_write(message->buf, &item->metric.value, item->type, message->n_max);
        if (r > 0)
                snprintf(message->news->metric,
                         sizeof(message->news->metric),
                         "%.*s",
                         (int)n,
                         item->name.data);
        return r;
}

static int message_write_items(Message *message, bool is_past) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < message->n; ++i)
                if (message->items[i].is_past == is_past)
                        r = message_write_item(message, &message->items[i]);
        return r;
}

static bool message_is_of_one_time(const Message *message) {
        for (size_t i = 1; i < message->n; ++i)
                if (message->items[i].time_ms != message->items[0].time_ms ||
                    text_equal(message->sorted[i]->name, message->sorted[i - 1]->name))
                        return false;
        return true;
}

/* One object for what follows each other with the same time, and is not said twice. */
static int message_write_past(Message *message) {
        const Item *last = NULL;
        int r = 0;

        message_comma(message);
        buf_append_string(message->buf, "\"historical\":[");
        for (size_t i = 0; r == 0 && i < message->n; ++i) {
                const Item *item = &message->items[i];

                if (!item->is_past)
                        continue;
                if (!last || last->time_ms != item->time_ms || text_equal(last->name, item->name)) {
                        buf_append_string(message->buf, last ? "}," : "");
                        message_begin(message, item->time_ms);
                }
                r = message_write_item(message, item);
                last = item;
        }
        buf_append_string(message->buf, "}]");
        return r;
}

static int message_write(Message *message) {
        bool is_whole;
        int r;

        message->news->is_history = message->n > 0 && message->n_past == message->n;
        is_whole = message->news->is_history && message_is_of_one_time(message);
        message_begin(message, is_whole ? message->items[0].time_ms : message->time_ms);
        r = message_write_items(message, is_whole);
        if (r == 0 && message->n_past > 0 && !is_whole)
                r = message_write_past(message);
        buf_append_char(message->buf, '}');
        return r;
}

int sparkplug_message_write(Buf *buf,
                            Text bytes,
                            const SparkplugTable *table,
                            size_t n_max,
                            SparkplugNews *ret_news) {
        CLEANUP(sparkplug_payload_free) SparkplugPayload *payload = NULL;
        Message message = { .buf = buf, .n_max = n_max, .news = ret_news };
        int r;

        *ret_news = (SparkplugNews){ .seq = -1, .bd_seq = -1 };
        r = sparkplug_payload_open(&payload, bytes);
        if (r == 0)
                r = message_fill(&message, payload, table);
        if (r == 0)
                r = message_write(&message);
        message_done(&message);
        return r < 0 ? err_up(r) : r;
}
