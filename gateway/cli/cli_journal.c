#include <stdio.h>

#include "base/clock.h"
#include "db/conn.h"
#include "db/edit/admin.h"
#include "db/write/books.h"
#include "db/write/slots.h"
#include "gateway/cli/cli_command.h"
#include "gateway/cli/verify.h"

typedef struct JournalCall JournalCall;

struct JournalCall {
        const Cli *cli;
        Config *config;
        DbConn *conn;
        Verify *verify;
};

static void journal_call_done(JournalCall *call) {
        verify_free(call->verify);
        db_conn_free(call->conn);
        config_free(call->config);
}

/* Others' text: no control characters on a terminal. */
static void journal_print_text(Text text) {
        for (size_t i = 0; i < text.n; ++i) {
                unsigned char c = (unsigned char)text.data[i];

                putchar(c < ' ' || c == 127 ? '?' : c);
        }
}

static void journal_print_missing(void *arg, const Record *record, const char *why) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(record->received_us, time);
        printf("%s %llu  %s  ", why ? "refused" : "missing", (unsigned long long)record->seq, time);
        journal_print_text(record->topic);
        if (why) {
                printf("  ");
                journal_print_text(text_of(why));
        }
        putchar('\n');
}

static int journal_result(const JournalCall *call, int r) {
        if (r == VERIFY_E_JOURNAL)
                return cli_fault(call->cli, "there is no journal");
        if (r == DB_E_BUSY)
                return cli_fault(call->cli, "something is missing time and again: is it a bug?");
        return cli_db_result(call->cli, call->conn, r, "journal");
}

static int journal_open_call(JournalCall *call) {
        const Cli *cli = call->cli;
        int r;

        if (cli->values[CLI_STORE] && cli->values[CLI_ACCEPT])
                return cli_usage_error(cli, "either --store or --accept");
        r = cli_load(cli, &call->config);
        if (r == CLI_OK)
                r = cli_connect(cli, call->config, &call->conn);
        if (r != CLI_OK)
                return r;
        return journal_result(call,
                              verify_new(&call->verify,
                                         call->config,
                                         call->conn,
                                         journal_print_missing,
                                         NULL));
}

static void journal_print_counts(const Cli *cli, const VerifyCounts *counts) {
        if (counts->n_compared > 0)
                printf("compared %llu, numbers %llu to %llu\n",
                       (unsigned long long)counts->n_compared,
                       (unsigned long long)counts->first_seq,
                       (unsigned long long)counts->last_seq);
        else
                printf("compared 0\n");
        printf("missing %llu\n", (unsigned long long)counts->n_missing);
        if (cli->values[CLI_STORE])
                printf("stored %llu\n", (unsigned long long)counts->n_stored);
        if (counts->n_refused > 0)
                printf("refused %llu; nothing is settled before they are stored, too\n",
                       (unsigned long long)counts->n_refused);
        printf("not stored yet %llu\n", (unsigned long long)counts->n_waiting);
}

/* What stays open, with what can be done about it. */
static int journal_print_open(const JournalCall *call, bool accept, bool *ret_is_open) {
        const char *epoch = verify_epoch(call->verify);
        uint64_t n = 0;
        DbBooks books;
        int r;

        *ret_is_open = false;
        r = db_books_read(call->conn, epoch, &books);
        if (r == DB_E_NOT_FOUND)
                return 0;
        if (r == 0 && accept)
                r = db_books_settle(call->conn, epoch, 0, INT64_MAX, "accepted", &n);
        if (r != 0)
                return r;
        if (accept) {
                printf("accepted %llu\n", (unsigned long long)n);
                return 0;
        }
        if (books.n_missing > 0)
                printf("open difference: %llu messages in numbers %llu to %llu;"
                       " --store compares and stores, --accept gives them up\n",
                       (unsigned long long)books.n_missing,
                       (unsigned long long)books.open_after_seq + 1,
                       (unsigned long long)books.open_last_seq);
        if (books.n_gaps > 0)
                printf("open gaps: %llu, in neither the journal nor the database;"
                       " --accept gives them up\n",
                       (unsigned long long)books.n_gaps);
        if (books.n_refused > 0)
                printf("refused: %llu messages in numbers %llu to %llu, as rows and as dead "
                       "letters;"
                       " mend the constraint, then --store; or --accept gives them up\n",
                       (unsigned long long)books.n_refused,
                       (unsigned long long)books.refused_after_seq + 1,
                       (unsigned long long)books.refused_last_seq);
        *ret_is_open = books.n_missing > 0 || books.n_gaps > 0 || books.n_refused > 0;
        return 0;
}

/* Two that store the same would each count what is the other's. */
static int journal_lock(const JournalCall *call) {
        char name[80];
        int r;

        if (!call->cli->values[CLI_STORE])
                return CLI_OK;
        snprintf(name, sizeof(name), "tidegate_verify %s", verify_epoch(call->verify));
        r = db_admin_lock(call->conn, name);
        if (r == DB_E_BUSY)
                return cli_fault(call->cli,
                                 "another `journal verify --store` is under way; ask again when it "
                                 "has ended");
        return journal_result(call, r);
}

int cli_journal_verify(const Cli *cli) {
        __attribute__((cleanup(journal_call_done))) JournalCall call = { .cli = cli };
        bool store = cli->values[CLI_STORE] != NULL;
        VerifyCounts counts = { 0 };
        bool is_open = false;
        int r;

        r = journal_open_call(&call);
        if (r == CLI_OK)
                r = journal_lock(&call);
        if (r != CLI_OK)
                return r;
        r = verify_run(call.verify, store, &counts);
        if (r != 0)
                return journal_result(&call, r);
        journal_print_counts(cli, &counts);
        r = journal_print_open(&call, cli->values[CLI_ACCEPT] != NULL, &is_open);
        if (r != 0)
                return journal_result(&call, r);
        return counts.n_missing > counts.n_stored || is_open ? CLI_FAULT : CLI_OK;
}

int cli_journal_forget(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        bool was = false;
        int r;

        r = cli_load(cli, &config);
        if (r == CLI_OK)
                r = cli_connect(cli, config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_slots_forget(conn, cli->operands[0], "forgotten", &was);
        if (r != 0)
                return cli_db_result(cli, conn, r, "journal");
        if (!was)
                return cli_fault(cli, "no journal of that name is waited for");
        return CLI_OK;
}
