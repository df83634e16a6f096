#include "gateway/uplink/orders.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "model/metrics.h"

#define ORDERS_WAITING COMMAND_PUBLISHER_PARCEL
#define ORDERS_QUEUE   256
#define ORDERS_DONE    1024 /* that are remembered */
#define ORDERS_TICK_MS 500
#define ORDERS_MAX_MS  INT64_C(86400000)

typedef struct UplinkOrder UplinkOrder;

struct UplinkOrder {
        json_object *root; /* owned, and with it the texts of the next */
        DbCommand command;
        Text data;        /* as it goes to the device; in the message */
        char *message;    /* owned */
        int64_t until_us; /* monotonic */
};

struct UplinkOrders {
        CommandPublisher *publisher;
        Queue *queue; /* of UplinkOrder */
        pthread_t thread;
        bool is_started;
        UplinkOrder *waiting[ORDERS_WAITING];
        size_t n_waiting;
        char done[ORDERS_DONE][QUERY_COMMAND_ID_SIZE];
        size_t n_done;
        LogPace said;
};

static UplinkOrder *order_free(UplinkOrder *order) {
        if (!order)
                return NULL;
        json_object_put(order->root);
        free(order->message);
        free(order);
        return NULL;
}

DEFINE_CLEANUP(UplinkOrder *, order_free);

static void order_drop(void *order) {
        order_free(order);
}

/* ---- what was said ---- */

static const char *order_text(json_object *root, const char *name) {
        json_object *member = NULL;

        if (!json_object_object_get_ex(root, name, &member) ||
            !json_object_is_type(member, json_type_string))
                return NULL;
        return json_object_get_string(member);
}

static int64_t order_number(json_object *root, const char *name) {
        json_object *member = NULL;

        if (!json_object_object_get_ex(root, name, &member) ||
            !json_object_is_type(member, json_type_int))
                return 0;
        return json_object_get_int64(member);
}

/* The command is the last member, and stands there as the device is to have it: within a string
 * quotes are escaped, so that nothing before it looks like it. */
static bool order_find_data(UplinkOrder *order, size_t n) {
        static const Text name = TEXT(",\"command\":");
        const char *at = memmem(order->message, n, name.data, name.n);

        if (!at || n == 0 || order->message[n - 1] != '}')
                return false;
        at += name.n;
        order->data = (Text){ at, n - 1 - (size_t)(at - order->message) };
        return true;
}

/* NULL: it cannot be read, or there is no memory. */
static UplinkOrder *order_read(Text message) {
        CLEANUP(order_free) UplinkOrder *order = calloc(1, sizeof(*order));
        int64_t left_ms;

        if (!order)
                return NULL;
        order->message = strndup(message.data, message.n);
        if (!order->message || !order_find_data(order, message.n))
                return NULL;
        order->root = json_tokener_parse(order->message);
        if (!order->root || !json_object_is_type(order->root, json_type_object))
                return NULL;
        left_ms = order_number(order->root, "left_ms");
        order->command = (DbCommand){
                .command_id = order_text(order->root, "command_id"),
                .action = "",
                .device_id = order_number(order->root, "device_id"),
                .device_code = order_text(order->root, "device"),
                .user_name = order_text(order->root, "user"),
                .left_ms = left_ms < ORDERS_MAX_MS ? left_ms : ORDERS_MAX_MS,
        };
        if (!order->command.command_id || !order->command.device_code || left_ms <= 0 ||
            strlen(order->command.command_id) >= QUERY_COMMAND_ID_SIZE)
                return NULL;
        order->until_us = clock_mono_us() + order->command.left_ms * 1000;
        return TAKE(&order);
}

int uplink_orders_put(UplinkOrders *orders, Text message) {
        CLEANUP(order_free) UplinkOrder *order = order_read(message);
        unsigned long long n_more;
        int r;

        if (!order) {
                if (log_may(&orders->said, &n_more))
                        log_warning("uplink_command_odd bytes=%zu more=%llu", message.n, n_more);
                return 0;
        }
        r = queue_push(orders->queue, order, 0);
        if (r < 0)
                return err_up(r);
        if (r == 0)
                order = NULL; /* else there are too many: it is said again */
        return 0;
}

/* ---- to the broker ---- */

static bool orders_has_done(const UplinkOrders *orders, const char *id) {
        for (size_t i = 0; i < ORDERS_DONE && i < orders->n_done; ++i)
                if (strcmp(orders->done[i], id) == 0)
                        return true;
        return false;
}

static void orders_on_published(void *arg, const char *id, int64_t device_id) {
        UplinkOrders *orders = arg;

        (void)device_id;
        snprintf(orders->done[orders->n_done++ % ORDERS_DONE], QUERY_COMMAND_ID_SIZE, "%s", id);
        metric_add(METRIC_COMMANDS_PUBLISHED, 1);
}

/* What is done, or too late, goes. */
static void orders_tidy(UplinkOrders *orders) {
        int64_t now_us = clock_mono_us();
        size_t n = 0;

        for (size_t i = 0; i < orders->n_waiting; ++i) {
                UplinkOrder *order = orders->waiting[i];

                if (order->until_us <= now_us || orders_has_done(orders, order->command.command_id))
                        order_free(order);
                else
                        orders->waiting[n++] = order;
        }
        orders->n_waiting = n;
}

static int orders_publish(UplinkOrders *orders) {
        bool answers;

        orders_tidy(orders);
        if (orders->n_waiting == 0 || !command_publisher_is_ready(orders->publisher))
                return 0;
        for (size_t i = 0; i < orders->n_waiting; ++i) {
                UplinkOrder *order = orders->waiting[i];

                order->command.left_ms = (order->until_us - clock_mono_us()) / 1000;
                command_publisher_add_as(orders->publisher, &order->command, order->data);
        }
        return err_up(
                command_publisher_send(orders->publisher, orders_on_published, orders, &answers));
}

static void *orders_main(void *arg) {
        UplinkOrders *orders = arg;
        int r = 0;

        watch_enter("orders");
        while (r == 0 && !queue_is_drained(orders->queue)) {
                void *items[ORDERS_WAITING];
                size_t n;

                watch_rest();
                n = queue_pop(orders->queue,
                              items,
                              ORDERS_WAITING - orders->n_waiting,
                              ORDERS_TICK_MS);
                watch_turn();
                for (size_t i = 0; i < n; ++i)
                        orders->waiting[orders->n_waiting++] = items[i];
                r = orders_publish(orders);
                orders_tidy(orders);
                if (orders->n_waiting == ORDERS_WAITING)
                        (void)usleep(ORDERS_TICK_MS * 1000);
        }
        watch_leave();
        return NULL;
}

/* ---- life ---- */

int uplink_orders_new(UplinkOrders **ret_orders, const CommandPublisherOptions *options) {
        CLEANUP(uplink_orders_free) UplinkOrders *orders = calloc(1, sizeof(*orders));
        int r;

        if (!orders)
                return err_new(-ENOMEM);
        r = queue_new(&orders->queue, ORDERS_QUEUE, order_drop);
        if (r == 0)
                r = command_publisher_new(&orders->publisher, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_orders = TAKE(&orders);
        return 0;
}

int uplink_orders_start(UplinkOrders *orders) {
        int r = pthread_create(&orders->thread, NULL, orders_main, orders);

        if (r != 0)
                return err_new(-r);
        orders->is_started = true;
        return 0;
}

UplinkOrders *uplink_orders_free(UplinkOrders *orders) {
        if (!orders)
                return NULL;
        if (orders->queue)
                queue_close(orders->queue);
        if (orders->is_started)
                MUST(pthread_join(orders->thread, NULL));
        while (orders->n_waiting > 0)
                order_free(orders->waiting[--orders->n_waiting]);
        command_publisher_free(orders->publisher);
        queue_free(orders->queue);
        free(orders);
        return NULL;
}
