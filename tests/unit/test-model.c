/*
 * The whole of gateway/store/ against a model of some lines: whatever the database does, and
 * whenever, what was acknowledged is stored once, or becomes a letter once, in its order; it is
 * shown once, in its order; and the position never passes what is not stored.
 *
 * The journal and the processor are real. The processor's thread is the test's: whenever it would
 * wait, the world moves by one step, which the dice choose. TIDEGATE_MODEL_SEED and
 * TIDEGATE_MODEL_STEPS give other runs; the same seed is the same run. TIDEGATE_MODEL_LOG=1 shows
 * the log.
 */

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/store/processor.h"
#include "gateway/store/understand.h"
#include "model/event.h"
#include "model/metrics.h"
#include "tests/fake/server.h"

#define MODEL_STEPS   100000
#define MODEL_SEED    UINT64_C(20261129)
#define MODEL_NOW_US  INT64_C(1735689600000000) /* 2025: behind the clock of whoever runs it */
#define MODEL_CALM    1000 /* steps, of which one at least stores something, if there is any */
#define MODEL_TROUBLE 20   /* of a thousand statements */
#define MODEL_WAIT_MS 20
#define MODEL_EVENTS  65536

/* How a life of the process ends. */
typedef enum Ending {
        ENDING_NOT,
        ENDING_KILLED,
        ENDING_STOPPED,
        ENDING_LAST, /* settled, and for good */
} Ending;

typedef struct World World;

struct World {
        Dice dice;
        uint64_t seed, n_steps, n_steps_most;
        int64_t now_us;
        char root[64], dirs[2][80]; /* of the journal, and of what a kill leaves of it */
        Journal *journal;
        Processor *processor;
        Queue *outbox;
        Routes *routes;
        Arena *arena; /* of what is counted as it comes */

        unsigned life;
        Ending ending;
        uint64_t shown_number; /* the last one shown in its turn in this life */
        bool waits;            /* another gateway stores: nothing comes in here */
        unsigned n_quiet;      /* steps until somebody sends again */
        unsigned n_calm;       /* steps; 0: the dice roll */
        uint64_t n_settled;    /* messages that were looked at */
        int64_t n_carried;     /* messages that were left to the next life */
};

static World world;

static const char *at(void) {
        static char text[96];

        snprintf(text,
                 sizeof(text),
                 "seed %" PRIu64 ", step %" PRIu64 ", life %u",
                 world.seed,
                 world.n_steps,
                 world.life);
        return text;
}

/* ---- the model ---------------------------------------------------------------------------- */

static int64_t balance(void) {
        return metric_get(METRIC_RECEIVED_MQTT) + metric_get(METRIC_RECEIVED_RECOVERED) -
               metric_get(METRIC_COMMITTED) - metric_get_dead_letters() -
               metric_get(METRIC_DUPLICATE) - metric_get(METRIC_IN_JOURNAL) - world.n_carried;
}

static bool is_settled(uint64_t number) {
        const FakeMessage *message = &fake_server.messages[number];

        return message->n_rows + message->n_letters == 1 &&
               (message->n_rows == 0 || message->is_shown);
}

/* Everything is in its place; that nothing is anywhere twice, or out of turn, is seen at once. */
static bool all_is_settled(void) {
        while (world.n_settled < fake_server.n_messages && is_settled(world.n_settled + 1))
                ++world.n_settled;
        return world.n_settled == fake_server.n_messages &&
               fake_server.n_passed == fake_server.n_messages && metric_get(METRIC_IN_JOURNAL) == 0;
}

static void check_shown(const Event *event) {
        double number = event->data.data ? (double)fake_server_number(event->data)
                                         : event->state.temperature * 1000 + 0.5;
        FakeMessage *message = &fake_server.messages[(uint64_t)number];

        if ((uint64_t)number > fake_server.n_messages || message->life == world.life ||
            (!event->behind && (uint64_t)number <= world.shown_number))
                fail_msg("%s: message %.0f is shown after %" PRIu64 "%s",
                         at(),
                         number,
                         world.shown_number,
                         message->life == world.life ? ", and again" : "");
        if (event->persisted && message->n_rows + message->n_letters != 1)
                fail_msg("%s: message %.0f is said to be stored", at(), number);
        message->is_shown = true;
        message->life = world.life;
        if (!event->behind)
                world.shown_number = (uint64_t)number;
}

/* What has a number up to this one is not shown in this life: viewers ask the database. */
static void check_position(const Event *event) {
        assert_int_equal(event->n_items, 0); /* nothing was dropped for the viewers */
        for (uint64_t i = 1; i <= fake_server.n_messages; ++i)
                if (fake_server.messages[i].seq <= event->seq)
                        fake_server.messages[i].is_shown = true;
}

static void check_events(void) {
        void *events[64];
        size_t n;

        while ((n = queue_pop(world.outbox, events, N_ELEMENTS(events), 0)) > 0) {
                for (size_t i = 0; i < n; ++i) {
                        Event *event = events[i];

                        if (event->type == EVENT_MESSAGE)
                                check_shown(event);
                        else if (event->type == EVENT_GAP)
                                check_position(event);
                        event_unref(event);
                }
        }
}

/* ---- what the world does ------------------------------------------------------------------ */

static bool rolls(unsigned per_mille) {
        return dice_below(&world.dice, 1000) < per_mille;
}

static void append(const char *topic, const char *payload) {
        const JournalRecord entry = { .topic = text_of(topic), .payload = text_of(payload) };
        Inbound inbound = { .door = DOOR_MQTT, .topic = entry.topic, .payload = entry.payload };
        uint64_t seq;
        uint32_t n;
        int r;

        assert_int_equal(understand_count(world.arena, world.routes, &entry, &n), 0);
        arena_reset(world.arena);
        inbound.n_messages = n;
        r = journal_append(world.journal, &inbound, &seq);
        if (r == JOURNAL_E_FULL)
                return; /* not acknowledged */
        assert_int_equal(r, 0);
        metric_add(METRIC_IN_JOURNAL, n);
        for (uint32_t i = n; i > 0; --i)
                fake_server_add_message(seq - i + 1);
}

/* Several in one: a few, or more than any batch has. Some of those that say how they are do not, or
 * nobody knows of whom they are, or it is no array. */
static void append_several(unsigned which) {
        CLEANUP_BUF Buf payload = { 0 };
        unsigned n = rolls(50) ? 50 + dice_below(&world.dice, 50) : dice_below(&world.dice, 8) + 1;
        uint64_t number = fake_server.n_messages;
        unsigned roll = dice_below(&world.dice, 100);
        char topic[32];

        snprintf(topic, sizeof(topic), roll < 50 ? "e/d%u" : roll < 95 ? "f/d%u" : "e/x%u", which);
        for (unsigned i = 0; roll >= 3 && i < n; ++i) {
                ++number;
                buf_printf(&payload, "%s{\"n\":%" PRIu64, i == 0 ? "[" : ",", number);
                if (*topic == 'f' && dice_below(&world.dice, 100) < 90)
                        buf_printf(&payload,
                                   ",\"status\":\"online\",\"temperature\":%" PRIu64 ".%03u",
                                   number / 1000,
                                   (unsigned)(number % 1000));
                buf_append_char(&payload, '}');
        }
        if (roll < 3)
                buf_printf(&payload, "{\"n\":%" PRIu64 "}", number + 1);
        else
                buf_append_char(&payload, ']');
        buf_append_char(&payload, '\0');
        assert_false(buf_failed(&payload));
        append(topic, payload.data);
}

/* Mostly good ones; what is not is no JSON, or without a route or a device. */
static void append_any(void) {
        uint64_t number = fake_server.n_messages + 1;
        unsigned roll = dice_below(&world.dice, 100);
        unsigned which = dice_below(&world.dice, 4) + 1;
        char topic[32], payload[96];

        if (dice_below(&world.dice, 100) < 15) {
                append_several(which);
                return;
        }
        snprintf(payload, sizeof(payload), "{\"n\":%" PRIu64 "}", number);
        snprintf(topic, sizeof(topic), "t/d%u", which);
        if (roll < 15) {
                snprintf(topic, sizeof(topic), "s/d%u", which);
                snprintf(payload,
                         sizeof(payload),
                         "{\"n\":%" PRIu64 ",\"status\":\"online\",\"temperature\":%" PRIu64
                         ".%03u}",
                         number,
                         number / 1000,
                         (unsigned)(number % 1000));
        } else if (roll < 18) {
                snprintf(payload, sizeof(payload), "{\"n\":%" PRIu64 ",", number);
        } else if (roll < 20) {
                snprintf(topic, sizeof(topic), "nowhere/d%u", which);
        } else if (roll < 23) {
                snprintf(topic, sizeof(topic), "t/x%u", dice_below(&world.dice, 64));
        } else if (roll < 25) {
                snprintf(topic, sizeof(topic), "s/y%u", which);
        }
        append(topic, payload);
}

/* The database is an older one, of which the journal has kept all that is missing there. */
static void go_back(void) {
        uint64_t first_seq = journal_first_seq(world.journal);
        uint64_t number = fake_server.n_passed;

        for (unsigned n = dice_below(&world.dice, 200); n > 0 && number > 0 && first_seq > 0; --n)
                if (fake_server.messages[number].seq >= first_seq)
                        --number;
        while (number < fake_server.n_passed && number > 0 && !fake_server.messages[number].is_last)
                ++number;
        if (number == fake_server.n_passed)
                return;
        fake_server_go_back(number, rolls(250));
        if (world.n_settled > number)
                world.n_settled = number;
}

/* Another gateway takes the slot, stores some, and leaves. */
static void stand_by(void) {
        world.waits = !world.waits;
        processor_set_standing(world.processor, world.waits ? PROCESSOR_WAITS : PROCESSOR_STORES);
        if (world.waits)
                return;
        if (fake_server.others_seq < fake_server.seq)
                fake_server.others_seq = fake_server.seq;
        fake_server.others_seq += dice_below(&world.dice, 5000);
        world.n_quiet = dice_below(&world.dice, 200);
}

static void disturb_server(void) {
        FakeServer *server = &fake_server;

        if (rolls(server->is_down ? 100 : 5)) {
                server->is_down = !server->is_down;
                fake_server_cut();
        }
        if (rolls(server->is_full ? 100 : 5))
                server->is_full = !server->is_full;
        if (rolls(server->is_closed ? 100 : 2))
                server->is_closed = !server->is_closed;
        if (rolls(20))
                server->odd_device = dice_below(&world.dice, 4);
        if (rolls(30))
                fake_server_cut();
        if (server->is_down && rolls(50))
                go_back();
}

static void calm_down(void) {
        fake_server.is_down = fake_server.is_full = fake_server.is_closed = false;
        fake_server.odd_device = 0;
        fake_server.trouble = 0;
        if (world.waits)
                stand_by();
        world.n_calm = 1;
}

static void end_life(Ending ending) {
        world.ending = ending;
        if (ending == ENDING_KILLED)
                fake_server_cut();
        processor_stop(world.processor, ending == ENDING_STOPPED ? 200 : 0);
}

static void settle(void) {
        static uint64_t n_passed;

        if (!all_is_settled()) {
                if (n_passed != fake_server.n_passed) /* it gets on */
                        world.n_calm = 1;
                n_passed = fake_server.n_passed;
                if (++world.n_calm > MODEL_CALM)
                        fail_msg("%s: it does not settle: message %" PRIu64 " of %" PRIu64
                                 ", stored up to %" PRIu64 ", in the journal %" PRId64,
                                 at(),
                                 world.n_settled + 1,
                                 fake_server.n_messages,
                                 fake_server.n_passed,
                                 metric_get(METRIC_IN_JOURNAL));
                return;
        }
        if (balance() != 0)
                fail_msg("%s: the balance is out by %" PRId64, at(), balance());
        world.n_calm = 0;
        fake_server.trouble = MODEL_TROUBLE;
        if (world.n_steps >= world.n_steps_most)
                end_life(ENDING_LAST);
}

static void move(void) {
        if (world.ending != ENDING_NOT)
                return;
        if (world.n_calm > 0) {
                settle();
                return;
        }
        if (world.n_steps >= world.n_steps_most || rolls(3)) {
                calm_down();
                return;
        }
        if (world.n_quiet > 0)
                --world.n_quiet;
        else if (!world.waits)
                for (unsigned n = rolls(5) ? 300 : dice_below(&world.dice, 6); n > 0; --n)
                        append_any();
        disturb_server();
        if (rolls(world.waits ? 50 : 3))
                stand_by();
        if (rolls(1))
                end_life(rolls(700) ? ENDING_KILLED : ENDING_STOPPED);
}

/* ---- in place of the machine -------------------------------------------------------------- */

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_now_us(void);
int __real_poll(struct pollfd fds[], nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd fds[], nfds_t n, int timeout_ms);
int __wrap_pthread_create(pthread_t *ret_thread,
                          const pthread_attr_t *attr,
                          void *(*fn)(void *arg),
                          void *arg);
int __wrap_pthread_join(pthread_t thread, void **ret_result);

int64_t __wrap_clock_mono_us(void) {
        return ++world.now_us - MODEL_NOW_US + CLOCK_DAY_US;
}

int64_t __wrap_clock_now_us(void) {
        return ++world.now_us;
}

int __wrap_poll(struct pollfd fds[], nfds_t n, int timeout_ms) {
        if (n != 3) /* not the processor: the log, before it writes */
                return __real_poll(fds, n, timeout_ms);
        for (nfds_t i = 0; i < n; ++i)
                fds[i].revents = 0;
        ++world.n_steps;
        if (timeout_ms > MODEL_WAIT_MS && (world.n_calm > 0 || rolls(950)))
                timeout_ms = (int)dice_below(&world.dice, MODEL_WAIT_MS); /* there is an answer */
        world.now_us += timeout_ms * INT64_C(1000);
        check_events();
        move();
        return 0;
}

/* The processor has the only one. */
int __wrap_pthread_create(pthread_t *ret_thread,
                          const pthread_attr_t *attr,
                          void *(*fn)(void *arg),
                          void *arg) {
        (void)attr;
        *ret_thread = pthread_self();
        world.processor = arg;
        processor_set_standing(world.processor, PROCESSOR_STORES);
        (void)fn(arg);
        return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret_result) {
        (void)thread, (void)ret_result;
        return 0;
}

/* ---- lives -------------------------------------------------------------------------------- */

static void remove_dir(const char *dir) {
        DIR *stream = opendir(dir);
        struct dirent *entry;

        if (!stream)
                return;
        while ((entry = readdir(stream)))
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        closedir(stream);
        assert_int_equal(rmdir(dir), 0);
}

static void copy_file(int from_dir, int to_dir, const char *name) {
        int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
        int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static char bytes[1 << 16];
        ssize_t n;

        assert_true(from >= 0 && to >= 0);
        while ((n = read(from, bytes, sizeof(bytes))) > 0)
                assert_int_equal(write(to, bytes, (size_t)n), n);
        close(from);
        close(to);
}

/* The next life finds what is on the disk at this moment. */
static void leave_copy(void) {
        const char *from = world.dirs[world.life % 2];
        const char *to = world.dirs[(world.life + 1) % 2];
        DIR *stream = opendir(from);
        struct dirent *entry;
        int fd;

        assert_non_null(stream);
        assert_int_equal(mkdir(to, 0700), 0);
        fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        while ((entry = readdir(stream)))
                if (entry->d_name[0] != '.')
                        copy_file(dirfd(stream), fd, entry->d_name);
        close(fd);
        closedir(stream);
}

static void open_journal(void) {
        const JournalOptions options = {
                .dir = world.dirs[world.life % 2],
                .max_bytes = UINT64_C(1) << 20,
                .segment_bytes = UINT64_C(1) << 16,
                .reserve_bytes = UINT64_C(1) << 16,
                .keep_ms = 60000,
                .fsync = JOURNAL_FSYNC_NEVER,
        };

        assert_int_equal(journal_open(&world.journal, &options), 0);
}

static void free_event(void *event) {
        event_unref(event);
}

static void live(void) {
        Processor *processor = NULL;
        ProcessorOptions options = {
                .holder = { .instance = "model" },
                .max_batch = 1 + dice_below(&world.dice, 48),
                .max_delay_ms = (int)dice_below(&world.dice, 3) * 5,
                .stall_ms = 50,
                .timeout_ms = 400,
                .check_ms = 1000,
        };
        const char *dir = world.dirs[world.life % 2];
        const char *next = world.dirs[(world.life + 1) % 2];

        open_journal();
        world.ending = ENDING_NOT;
        world.waits = false;
        world.shown_number = 0;
        metric_set(METRIC_IN_JOURNAL, 0);
        assert_int_equal(queue_new(&world.outbox, MODEL_EVENTS, free_event), 0);

        assert_int_equal(processor_new(&processor,
                                       &options,
                                       world.journal,
                                       world.routes,
                                       world.outbox),
                         0);
        if (processor_result(processor) != 0 || world.ending == ENDING_NOT)
                fail_msg("%s: the processor ended with %d", at(), processor_result(processor));
        check_events();
        world.n_carried += metric_get(METRIC_IN_JOURNAL);
        processor_free(processor);
        queue_free(world.outbox);

        if (world.ending == ENDING_KILLED)
                leave_copy();
        journal_close(world.journal);
        if (world.ending != ENDING_KILLED)
                assert_int_equal(rename(dir, next), 0);
        else
                remove_dir(dir);
}

static void add_route(Routes *routes, const char *topic, Kind kind, bool has_each) {
        Route route = { .name = strdup(topic),
                        .kind = kind,
                        .max_bytes = 4096,
                        .auto_register = kind == KIND_TELEMETRY };

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        if (has_each)
                assert_int_equal(json_path_new(&route.each, TEXT("/")), 0);
        route.each_max = 100;
        assert_int_equal(routes_add(routes, &route), 0);
}

static uint64_t setting(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_what_is_acknowledged_is_stored_once_and_in_order(void **state) {
        (void)state;
        if (!getenv("TIDEGATE_MODEL_LOG"))
                log_set_level((LogLevel)-1); /* the outages are ours */
        world = (World){ .seed = setting("TIDEGATE_MODEL_SEED", MODEL_SEED),
                         .n_steps_most = setting("TIDEGATE_MODEL_STEPS", MODEL_STEPS),
                         .now_us = MODEL_NOW_US,
                         .life = 1 };
        printf("seed %" PRIu64 "\n", world.seed);
        world.dice.state = world.seed;
        fake_server = (FakeServer){ .dice = { dice_roll(&world.dice) }, .trouble = MODEL_TROUBLE };
        metrics_reset();
        snprintf(world.root, sizeof(world.root), "/tmp/tidegate-model-XXXXXX");
        assert_non_null(mkdtemp(world.root));
        for (int i = 0; i < 2; ++i)
                snprintf(world.dirs[i], sizeof(world.dirs[i]), "%s/%d", world.root, i);
        assert_int_equal(routes_new(&world.routes), 0);
        assert_int_equal(arena_new(&world.arena, 4096), 0);
        add_route(world.routes, "t/{device}", KIND_TELEMETRY, false);
        add_route(world.routes, "s/{device}", KIND_DEVICE_STATUS, false);
        add_route(world.routes, "e/{device}", KIND_TELEMETRY, true);
        add_route(world.routes, "f/{device}", KIND_DEVICE_STATUS, true);

        for (; world.ending != ENDING_LAST; ++world.life)
                live();
        assert_true(all_is_settled());
        printf("%" PRIu64 " steps, %u lives, %" PRIu64 " messages\n",
               world.n_steps,
               world.life,
               fake_server.n_messages);

        remove_dir(world.dirs[world.life % 2]);
        assert_int_equal(rmdir(world.root), 0);
        routes_unref(world.routes);
        arena_free(world.arena);
        free(fake_server.messages);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_acknowledged_is_stored_once_and_in_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
