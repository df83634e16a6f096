#include "gateway/cli/cli_which.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/text.h"
#include "base/vec.h"
#include "db/edit/admin.h"
#include "db/read/letter_rows.h"
#include "db/read/survey.h"

#define LETTERS_SHOWN 50

void letters_done(Letters *letters) {
        db_conn_free(letters->conn);
        config_free(letters->config);
        free(letters->ids);
}

static int letters_open(Letters *letters) {
        int r;

        r = cli_load(letters->cli, &letters->config);
        return r == CLI_OK ? cli_connect(letters->cli, letters->config, &letters->conn) : r;
}

/* The options that say which. */
static const struct {
        CliOption option;
        LetterField field;
        const char *name;
} letters_options[] = {
        { CLI_REASON, LETTER_REASON, "reason" },
        { CLI_TOPIC, LETTER_TOPIC, "topic" },
        { CLI_ROUTE, LETTER_ROUTE, "route" },
        { CLI_DEVICE, LETTER_DEVICE, "device" },
        { CLI_SINCE, LETTER_FROM, "since" },
        { CLI_UNTIL, LETTER_TO, "until" },
        { CLI_BY, LETTER_BY, "by" },
        { CLI_LIMIT, LETTER_LIMIT, "limit" },
        { CLI_CURSOR, LETTER_CURSOR, "cursor" },
};

static int letters_query(const Cli *cli, LetterQuery *query, size_t *ret_n_given) {
        int64_t now_us = clock_now_us();
        char said[LETTER_SAID_SIZE];

        *ret_n_given = 0;
        for (size_t i = 0; i < N_ELEMENTS(letters_options); ++i) {
                const char *value = cli->values[letters_options[i].option];

                if (!value)
                        continue;
                ++*ret_n_given;
                if (!letter_query_set(query,
                                      letters_options[i].field,
                                      text_of(value),
                                      now_us,
                                      said))
                        return cli_usage_error(cli, "--%s %s", letters_options[i].name, said);
        }
        return CLI_OK;
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

/* One that is named twice is one. */
static bool letters_has(const Letters *letters, int64_t id) {
        for (size_t i = 0; i < letters->n_ids; ++i)
                if (letters->ids[i] == id)
                        return true;
        return false;
}

static void letters_add_row(void *arg, const DbLetterRow *row) {
        letters_add(arg, row->id);
}

int letters_which(Letters *letters) {
        const Cli *cli = letters->cli;
        size_t n_given;
        int r;

        letters->query = (LetterQuery)LETTER_QUERY_INIT(LETTERS_MAX, LETTERS_MAX);
        r = letters_query(cli, &letters->query, &n_given);
        if (r != CLI_OK)
                return r;
        if ((n_given > 0) == (cli->n_operands > 0))
                return cli_usage_error(cli,
                                       "name either IDs or which (--reason, --topic, --route, "
                                       "--device, --since, --until)");
        for (size_t i = 0; i < cli->n_operands; ++i) {
                int64_t id;

                if (!letters_parse_id(cli->operands[i], &id))
                        return cli_usage_error(cli, "bad ID '%s'", cli->operands[i]);
                if (!letters_has(letters, id))
                        letters_add(letters, id);
        }
        return letters->no_memory ? cli_fault(cli, "out of memory") : letters_open(letters);
}

int letters_collect(Letters *letters) {
        int64_t more = 0;
        int r;

        if (letters->n_ids > 0)
                return CLI_OK;
        r = db_letter_rows(letters->conn, &letters->query, letters_add_row, letters, &more);
        if (r != 0)
                return cli_db_result(letters->cli, letters->conn, r, "list");
        if (more != 0)
                fprintf(stderr, "%d at a time: there are more\n", LETTERS_MAX);
        return letters->no_memory ? cli_fault(letters->cli, "out of memory") : CLI_OK;
}

/* Text of others: nothing in it is for the terminal. A backslash stays as it is, and so does the
 * end of a line where there may be several. */
static void letters_print_text(Text text, bool has_lines) {
        while (text.n > 0) {
                bool is_plain = *text.data == '\\' || (*text.data == '\n' && has_lines);
                char piece[ESCAPE_MAX];

                if (is_plain)
                        putchar(*text.data);
                (void)escape_next(&text, piece);
                if (!is_plain)
                        fputs(piece, stdout);
        }
}

static void letters_print(const char *text) {
        letters_print_text(text_of(text), false);
}

/* ---- list ---- */

static void letters_print_word(const char *text) {
        printf("  ");
        letters_print(text ? text : "-");
}

static void letters_print_members(const DbLetterRow *row) {
        letters_print(row->topic);
        letters_print_word(row->route);
        letters_print_word(row->device);
}

static void letters_print_detail(const DbLetterRow *row) {
        if (row->detail)
                letters_print_word(row->detail);
}

static void letters_print_line(void *arg, const DbLetterRow *row) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(row->first_us, time);
        printf("%-8lld %s  %-16s %8lld  ",
               (long long)row->id,
               time,
               row->reason,
               (long long)row->n_bytes);
        letters_print_members(row);
        letters_print_detail(row);
        putchar('\n');
}

/* Of a row, whose number is that of the note. */
static void letters_print_note(void *arg, const DbLetterRow *row) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(row->first_us, time);
        printf("%-8lld %s  %-16s %-16s %llu  ",
               (long long)row->id,
               time,
               row->reason,
               row->kind,
               (unsigned long long)row->seq);
        letters_print_members(row);
        letters_print_word(row->member);
        letters_print_detail(row);
        putchar('\n');
}

static void letters_print_group(void *arg, const DbLetterRow *row) {
        const LetterQuery *query = arg;
        const char *const values[LETTER_BY_COUNT] = {
                [LETTER_BY_REASON] = row->reason, [LETTER_BY_ROUTE] = row->route,
                [LETTER_BY_DEVICE] = row->device, [LETTER_BY_TOPIC] = row->topic,
                [LETTER_BY_DETAIL] = row->detail, [LETTER_BY_MEMBER] = row->member,
        };
        char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

        clock_format(row->first_us, first);
        clock_format(row->last_us, last);
        printf("%8lld %10lld  %s  %s", (long long)row->n, (long long)row->n_bytes, first, last);
        for (size_t i = 0; i < LETTER_BY_COUNT; ++i) {
                if (query->by & 1u << i)
                        letters_print_word(values[i]);
        }
        putchar('\n');
}

static void letters_print_head(const LetterQuery *query) {
        if (!query->by && query->is_notes) {
                printf("%-8s %-24s  %-16s %-16s %s\n",
                       "ID",
                       "RECEIVED",
                       "REASON",
                       "KIND",
                       "SEQ  TOPIC  ROUTE  DEVICE  MEMBER  DETAIL");
                return;
        }
        if (!query->by) {
                printf("%-8s %-24s  %-16s %8s  %s\n",
                       "ID",
                       "RECEIVED",
                       "REASON",
                       "BYTES",
                       "TOPIC  ROUTE  DEVICE  DETAIL");
                return;
        }
        printf("%8s %10s  %-24s  %-24s",
               query->is_notes ? "NOTES" : "LETTERS",
               "BYTES",
               "FIRST",
               "LAST");
        for (unsigned i = 0; i < LETTER_BY_COUNT; ++i) {
                const char *name = letter_by_name((LetterBy)i);

                if (!(query->by & 1u << i))
                        continue;
                printf("  ");
                for (; *name; ++name)
                        putchar(*name - 'a' + 'A');
        }
        putchar('\n');
}

/* The same as GET /api/dead-letters gives. */
static int letters_print_json(Letters *letters, const LetterQuery *query) {
        CLEANUP_BUF Buf body = { 0 };
        int r;

        r = db_letter_rows_json(letters->conn, query, &body);
        if (r == 0)
                puts(body.data);
        return cli_db_result(letters->cli, letters->conn, r, "list");
}

static int letters_list(const Cli *cli, bool is_notes) {
        CLEANUP_LETTERS Letters letters = { .cli = cli };
        LetterQuery query = LETTER_QUERY_INIT(LETTERS_SHOWN, LETTERS_MAX);
        DbLetterRowFn print = is_notes ? letters_print_note : letters_print_line;
        int64_t cursor = 0;
        size_t n_given;
        int r;

        query.is_notes = is_notes;
        r = letters_query(cli, &query, &n_given);
        if (r == CLI_OK)
                r = letters_open(&letters);
        if (r != CLI_OK)
                return r;
        if (cli->values[CLI_JSON])
                return letters_print_json(&letters, &query);

        letters_print_head(&query);
        r = db_letter_rows(letters.conn,
                           &query,
                           query.by ? letters_print_group : print,
                           &query,
                           &cursor);
        if (cursor == DB_LETTER_ROWS_MORE)
                fprintf(stderr, "there are more groups: --limit N, up to %d\n", LETTERS_MAX);
        else if (cursor != 0)
                fprintf(stderr, "there are more: --cursor %lld\n", (long long)cursor);
        return cli_db_result(cli, letters.conn, r, "list");
}

int cli_letters_list(const Cli *cli) {
        return letters_list(cli, false);
}

int cli_letters_notes(const Cli *cli) {
        return letters_list(cli, true);
}

/* ---- summary ---- */

/* One more than is shown was asked for, to know of it. */
static void letters_print_maker(void *arg, const DbLetterGroup *group) {
        char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];
        int *n_left = arg;

        if ((*n_left)-- <= 0)
                return;
        clock_format(group->first_us, first);
        clock_format(group->last_us, last);
        printf("%8lld %10lld  %s  %s  %-16s ",
               (long long)group->n,
               (long long)group->n_bytes,
               first,
               last,
               group->reason);
        letters_print(group->topic);
        if (*group->name) {
                printf("  ");
                letters_print(group->name);
        }
        putchar('\n');
}

int cli_letters_summary(const Cli *cli) {
        CLEANUP_LETTERS Letters letters = { .cli = cli };
        LetterQuery query = LETTER_QUERY_INIT(LETTERS_SHOWN, LETTERS_MAX);
        size_t n_given;
        int n_left, r;

        r = letters_query(cli, &query, &n_given);
        if (r == CLI_OK)
                r = letters_open(&letters);
        if (r != CLI_OK)
                return r;

        n_left = query.limit;
        printf("%8s %10s  %-24s  %-24s  %-16s %s\n",
               "LETTERS",
               "BYTES",
               "FIRST",
               "LAST",
               "REASON",
               "TOPIC  NAME");
        r = db_survey_letters(letters.conn,
                              cli->values[CLI_REASON],
                              query.limit + 1,
                              letters_print_maker,
                              &n_left);
        if (r == 0 && n_left < 0)
                fprintf(stderr, "there are more: --limit N, up to %d\n", LETTERS_MAX);
        return cli_db_result(cli, letters.conn, r, "summary");
}

/* ---- show ---- */

static void letters_print_member(const char *name, const char *value) {
        printf("%s: ", name);
        letters_print(value ? value : "-");
        putchar('\n');
}

/* To a file or a pipe the payload goes as it came. */
static void letters_print_whole(void *arg, const DbLetterRow *row) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(row->first_us, time);
        printf("id: %lld\nreceived: %s\nreason: %s\n", (long long)row->id, time, row->reason);
        letters_print_member("detail", row->detail);
        letters_print_member("topic", row->topic);
        letters_print_member("route", row->route);
        letters_print_member("device", row->device);
        if (row->item >= 0)
                printf("item: %d\n", row->item);
        printf("bytes: %zu\n\n", row->payload.n);
        if (isatty(STDOUT_FILENO))
                letters_print_text(row->payload, true);
        else
                (void)fwrite(row->payload.data, 1, row->payload.n, stdout);
        putchar('\n');
}

static void letters_print_raw(void *arg, const DbLetterRow *row) {
        (void)arg;
        (void)fwrite(row->payload.data, 1, row->payload.n, stdout);
}

int cli_letters_show(const Cli *cli) {
        CLEANUP_LETTERS Letters letters = { .cli = cli };
        CLEANUP_BUF Buf body = { 0 };
        bool is_raw = cli->values[CLI_RAW] != NULL;
        int64_t id;
        int r;

        if (!letters_parse_id(cli->operands[0], &id))
                return cli_usage_error(cli, "bad ID '%s'", cli->operands[0]);
        if (is_raw && cli->values[CLI_JSON])
                return cli_usage_error(cli, "either --raw or --json");
        r = letters_open(&letters);
        if (r != CLI_OK)
                return r;
        if (cli->values[CLI_JSON])
                r = db_letter_row_json(letters.conn, id, &body);
        else
                r = db_letter_row(letters.conn,
                                  id,
                                  is_raw ? letters_print_raw : letters_print_whole,
                                  NULL);
        if (r == 0 && body.n > 0)
                puts(body.data);
        return cli_db_result(cli, letters.conn, r, cli->operands[0]);
}

/* ---- discard ---- */

/* One that is gone already does not keep the others. */
static int letters_delete(Letters *letters, size_t *n_deleted) {
        int result = CLI_OK;

        for (size_t i = 0; i < letters->n_ids; ++i) {
                int r = db_admin_dead_letter_delete(letters->conn, letters->ids[i]);

                if (r == DB_E_NOT_FOUND) {
                        fprintf(stderr, "%lld: there is none\n", (long long)letters->ids[i]);
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
        CLEANUP_LETTERS Letters letters = { .cli = cli };
        size_t n_deleted = 0;
        int r;

        r = letters_which(&letters);
        if (r == CLI_OK)
                r = letters_collect(&letters);
        if (r != CLI_OK)
                return r;
        r = letters_delete(&letters, &n_deleted);
        printf("discarded %zu\n", n_deleted);
        return r;
}
