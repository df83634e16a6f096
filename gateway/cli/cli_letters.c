#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/vec.h"
#include "db/conn.h"
#include "db/edit/admin.h"
#include "db/edit/letters.h"
#include "db/read/survey.h"
#include "gateway/cli/cli_command.h"

#define LETTERS_SHOWN   50
#define LETTERS_MAX     10000 /* in one go */
#define LETTERS_WAIT_MS 10000 /* for anything to move */
#define LETTERS_LOOK_MS 200

typedef struct Letters Letters;

/* The dead letters that a command is about. */
struct Letters {
        const Cli *cli;
        Config *config;
        DbConn *conn;
        int64_t *ids;
        size_t n_ids, n_allocated;
        bool no_memory;

        size_t n_pending, n_moved, n_stored, n_gone; /* of a replay, when it was looked at last */
        bool is_last; /* this look is the last one: say what went wrong */
};

static void letters_done(Letters *letters) {
        db_conn_free(letters->conn);
        config_free(letters->config);
        free(letters->ids);
}

static int letters_open(Letters *letters) {
        int r;

        if (letters->conn)
                return CLI_OK;
        r = cli_load(letters->cli, &letters->config);
        return r == CLI_OK ? cli_connect(letters->cli, letters->config, &letters->conn) : r;
}

static bool letters_parse_id(const char *text, int64_t *ret_id) {
        uint64_t id = 0;

        if (!text_to_number(text_of(text), INT64_MAX, &id) || id == 0)
                return false;
        *ret_id = (int64_t)id;
        return true;
}

static void letters_add(Letters *letters, int64_t id) {
        if (VEC_HAS_ROOM(letters->ids, letters->n_ids, letters->n_allocated, 64))
                letters->ids[letters->n_ids++] = id;
        else
                letters->no_memory = true;
}

static void letters_add_letter(void *arg, const DbDeadLetter *letter) {
        letters_add(arg, letter->id);
}

/*
 * The ids of the operands, or all of one reason. They are settled before anything is done: a letter
 * that is replayed and comes back gets a new id and is not taken again.
 */
static int letters_collect(Letters *letters) {
        const Cli *cli = letters->cli;
        const char *reason = cli->values[CLI_REASON];
        int r;

        if ((reason != NULL) == (cli->n_operands > 0))
                return cli_usage_error(cli, "name either IDs or --reason");
        for (size_t i = 0; i < cli->n_operands; ++i) {
                int64_t id;

                if (!letters_parse_id(cli->operands[i], &id))
                        return cli_usage_error(cli, "bad ID '%s'", cli->operands[i]);
                letters_add(letters, id);
        }
        r = letters_open(letters);
        if (r != CLI_OK)
                return r;
        if (reason) {
                r = db_admin_dead_letters(letters->conn,
                                          reason,
                                          LETTERS_MAX,
                                          letters_add_letter,
                                          letters);
                if (r != 0)
                        return cli_db_result(cli, letters->conn, r, "list");
        }
        return letters->no_memory ? cli_fault(cli, "out of memory") : CLI_OK;
}

/* Text of others on a terminal: control characters must not reach it. */
static void letters_print_text(const char *text, size_t n) {
        for (size_t i = 0; i < n; ++i)
                putchar((unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i]);
}

static void letters_print_line(void *arg, const DbDeadLetter *letter) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(letter->received_us, time);
        printf("%-8lld %s  %-16s %8zu  ",
               (long long)letter->id,
               time,
               letter->reason,
               letter->payload.n);
        letters_print_text(letter->topic, strlen(letter->topic));
        if (*letter->detail) {
                fputs("  ", stdout);
                letters_print_text(letter->detail, strlen(letter->detail));
        }
        putchar('\n');
}

int cli_letters_list(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        double limit = LETTERS_SHOWN;
        int r;

        r = cli_number(cli, CLI_LIMIT, 1, LETTERS_MAX, &limit);
        if (r == CLI_OK)
                r = letters_open(&letters);
        if (r != CLI_OK)
                return r;

        printf("%-8s %-24s  %-16s %8s  %s\n", "ID", "RECEIVED", "REASON", "BYTES", "TOPIC  DETAIL");
        r = db_admin_dead_letters(letters.conn,
                                  cli->values[CLI_REASON],
                                  (int)limit,
                                  letters_print_line,
                                  NULL);
        return cli_db_result(cli, letters.conn, r, "list");
}

static void letters_print_group(void *arg, const DbLetterGroup *group) {
        char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(group->first_us, first);
        clock_format(group->last_us, last);
        printf("%8lld %10lld  %s  %s  %-16s ",
               (long long)group->n,
               (long long)group->n_bytes,
               first,
               last,
               group->reason);
        letters_print_text(group->topic, strlen(group->topic));
        if (*group->name) {
                fputs("  ", stdout);
                letters_print_text(group->name, strlen(group->name));
        }
        putchar('\n');
}

int cli_letters_summary(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        double limit = LETTERS_SHOWN;
        int r;

        r = cli_number(cli, CLI_LIMIT, 1, LETTERS_MAX, &limit);
        if (r == CLI_OK)
                r = letters_open(&letters);
        if (r != CLI_OK)
                return r;

        printf("%8s %10s  %-24s  %-24s  %-16s %s\n",
               "LETTERS",
               "BYTES",
               "FIRST",
               "LAST",
               "REASON",
               "TOPIC  NAME");
        r = db_survey_letters(letters.conn,
                              cli->values[CLI_REASON],
                              (int)limit,
                              letters_print_group,
                              NULL);
        return cli_db_result(cli, letters.conn, r, "summary");
}

/* To a file or a pipe the payload goes as it came. */
static void letters_print_whole(void *arg, const DbDeadLetter *letter) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(letter->received_us, time);
        printf("id: %lld\nreceived: %s\nreason: %s\ndetail: ",
               (long long)letter->id,
               time,
               letter->reason);
        letters_print_text(letter->detail, strlen(letter->detail));
        fputs("\ntopic: ", stdout);
        letters_print_text(letter->topic, strlen(letter->topic));
        printf("\nbytes: %zu\n\n", letter->payload.n);
        if (isatty(STDOUT_FILENO))
                letters_print_text(letter->payload.data, letter->payload.n);
        else
                (void)fwrite(letter->payload.data, 1, letter->payload.n, stdout);
        putchar('\n');
}

int cli_letters_show(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        int64_t id;
        int r;

        if (!letters_parse_id(cli->operands[0], &id))
                return cli_usage_error(cli, "bad ID '%s'", cli->operands[0]);
        r = letters_open(&letters);
        if (r != CLI_OK)
                return r;
        r = db_admin_dead_letter(letters.conn, id, letters_print_whole, NULL);
        return cli_db_result(cli, letters.conn, r, cli->operands[0]);
}

/* One that is gone already does not keep the others. */
static int letters_delete(Letters *letters, const int64_t ids[], size_t n, size_t *n_deleted) {
        int result = CLI_OK;

        for (size_t i = 0; i < n; ++i) {
                int r = db_admin_dead_letter_delete(letters->conn, ids[i]);

                if (r == DB_E_NOT_FOUND) {
                        fprintf(stderr, "%lld: there is none\n", (long long)ids[i]);
                        result = CLI_FAULT;
                } else if (r != 0) {
                        return cli_db_result(letters->cli, letters->conn, r, "dead letter");
                } else {
                        ++*n_deleted;
                }
        }
        return result;
}

int cli_letters_discard(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        size_t n_deleted = 0;
        int r;

        r = letters_collect(&letters);
        if (r != CLI_OK)
                return r;
        r = letters_delete(&letters, letters.ids, letters.n_ids, &n_deleted);
        printf("discarded %zu\n", n_deleted);
        return r;
}

/* ---- replay: asked for here, done by the gateway (db/edit/letters.h) ---- */

static void letters_on_outcome(void *arg, int64_t letter_id, bool is_claimed, Text outcome) {
        Letters *letters = arg;

        ++letters->n_pending;
        letters->n_moved += is_claimed;
        if (!outcome.data)
                return;
        --letters->n_pending;
        ++letters->n_moved;
        letters->n_gone += text_equal(outcome, TEXT("gone"));
        if (text_equal(outcome, TEXT("stored")))
                ++letters->n_stored;
        else if (letters->is_last)
                fprintf(stderr, "%lld: %.*s\n", (long long)letter_id, (int)outcome.n, outcome.data);
}

static int letters_look(Letters *letters, const char *ids) {
        letters->n_pending = letters->n_moved = letters->n_stored = letters->n_gone = 0;
        return db_letters_outcomes(letters->conn, ids, letters_on_outcome, letters);
}

/* Until each has an outcome, or nothing has moved for as long as we care to wait. */
static int letters_wait(Letters *letters, const char *ids) {
        int64_t moved_at_us = clock_mono_us();
        size_t n_moved = 0;
        int r;

        do {
                r = letters_look(letters, ids);
                if (letters->n_moved != n_moved)
                        moved_at_us = clock_mono_us();
                n_moved = letters->n_moved;
                if (r == 0 && letters->n_pending > 0)
                        (void)poll(NULL, 0, LETTERS_LOOK_MS);
        } while (r == 0 && letters->n_pending > 0 &&
                 clock_mono_us() - moved_at_us < LETTERS_WAIT_MS * INT64_C(1000));
        return r;
}

static int letters_request(Letters *letters, const char *ids) {
        int r;

        r = db_letters_request(letters->conn, ids);
        if (r == 0)
                r = letters_wait(letters, ids);
        if (r == 0)
                r = db_letters_withdraw(letters->conn, ids);
        letters->is_last = true;
        if (r == 0)
                r = letters_look(letters, ids);
        if (r == 0)
                r = db_letters_forget(letters->conn, ids);
        return r;
}

/* What two of them ask for at a time, each would have to tell from what the other has got. */
static int letters_lock(const Letters *letters) {
        int r = db_admin_lock(letters->conn, "tidegate_replay");

        if (r == DB_E_BUSY)
                return cli_fault(letters->cli,
                                 "another `dead-letters replay` is under way; ask again when it "
                                 "has "
                                 "ended");
        return cli_db_result(letters->cli, letters->conn, r, "replay");
}

static int letters_conclude(const Letters *letters) {
        size_t n_done = letters->n_stored + letters->n_pending + letters->n_gone;

        printf("replayed %zu\n", letters->n_stored);
        if (letters->n_pending > 0)
                fprintf(stderr,
                        "%zu are in the gateway's journal and will be stored; their letters go "
                        "then\n",
                        letters->n_pending);
        if (letters->n_gone > 0)
                fprintf(stderr, "%zu were no dead letters any more\n", letters->n_gone);
        if (n_done == letters->n_ids)
                return letters->n_stored == letters->n_ids ? CLI_OK : CLI_FAULT;
        return cli_fault(letters->cli,
                         "%zu stay dead letters%s",
                         letters->n_ids - n_done,
                         letters->n_moved == 0 ? ": no gateway took them up; is it running?" : "");
}

/* A letter goes when its message is a row, and only then. */
int cli_letters_replay(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        CLEANUP_BUF Buf ids = { 0 };
        int r;

        r = letters_open(&letters);
        if (r == CLI_OK)
                r = letters_lock(&letters);
        if (r == CLI_OK)
                r = letters_collect(&letters);
        if (r != CLI_OK)
                return r;
        for (size_t i = 0; i < letters.n_ids; ++i)
                buf_printf(&ids, "%s%lld", i == 0 ? "{" : ",", (long long)letters.ids[i]);
        buf_append_string(&ids, letters.n_ids == 0 ? "{}" : "}");
        buf_append_char(&ids, '\0');
        if (buf_failed(&ids))
                return cli_fault(cli, "out of memory");

        r = letters_request(&letters, ids.data);
        if (r != 0)
                return cli_db_result(cli, letters.conn, r, "replay");
        return letters_conclude(&letters);
}
