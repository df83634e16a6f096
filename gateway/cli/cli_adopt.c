#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "db/conn.h"
#include "gateway/adoption.h"
#include "gateway/cli/cli_command.h"
#include "gateway/journal/bus_error.h"

#define ADOPT_MAX_SLOTS 4096 /* folders of one node */

typedef struct AdoptCall AdoptCall;

struct AdoptCall {
        const Cli *cli;
        Config *config;
        DbConn *conn;
        size_t n_dirs;
        char (*dirs)[PATH_MAX];
};

static void adopt_call_done(AdoptCall *call) {
        free(call->dirs);
        db_conn_free(call->conn);
        config_free(call->config);
}

static int adopt_add(AdoptCall *call, const char *dir, const char *name) {
        char(*dirs)[PATH_MAX];

        dirs = reallocarray(call->dirs, call->n_dirs + 1, sizeof(*dirs));
        if (!dirs)
                return cli_fault(call->cli, "out of memory");
        call->dirs = dirs;
        if (snprintf(dirs[call->n_dirs], sizeof(*dirs), "%s%s%s", dir, *name ? "/" : "", name) >=
            (int)sizeof(*dirs))
                return cli_fault(call->cli, "%s: too long a name", dir);
        ++call->n_dirs;
        return CLI_OK;
}

static int adopt_compare(const void *a, const void *b) {
        return strverscmp(a, b);
}

/* A node with several slots has a journal for each. */
static int adopt_find(AdoptCall *call) {
        const char *dir = call->cli->operands[0];
        const struct dirent *entry;
        DIR *stream = opendir(dir);
        int r = CLI_OK;

        if (!stream)
                return cli_fault(call->cli, "%s: cannot be read", dir);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone. */
        while (r == CLI_OK && call->n_dirs < ADOPT_MAX_SLOTS && (entry = readdir(stream)))
                if (strncmp(entry->d_name, "slot-", strlen("slot-")) == 0)
                        r = adopt_add(call, dir, entry->d_name);
        closedir(stream);
        if (r == CLI_OK && call->n_dirs == 0)
                r = adopt_add(call, dir, "");
        if (r == CLI_OK)
                qsort(call->dirs, call->n_dirs, sizeof(*call->dirs), adopt_compare);
        return r;
}

static int adopt_refuse(const AdoptCall *call, const char *dir, const Adopted *adopted, int r) {
        const Cli *cli = call->cli;

        switch (r) {
        case ADOPTION_E_NO_JOURNAL:
                return cli_fault(cli, "%s: there is no journal that this version knows", dir);
        case ADOPTION_E_LOCKED:
                return cli_fault(cli,
                                 "%s: a gateway or another `journal adopt` uses this journal",
                                 dir);
        case ADOPTION_E_DISK:
                return cli_fault(cli, "%s: what is to be noted there cannot be written", dir);
        case ADOPTION_E_UNKNOWN:
                return cli_fault(cli,
                                 "%s: this database knows no journal %s: it is of another one",
                                 dir,
                                 adopted->epoch);
        case ADOPTION_E_OWNED:
                return cli_fault(cli,
                                 "%s: slot %d is this journal's own gateway's, and nobody has "
                                 "taken "
                                 "it over: start that gateway, or another one",
                                 dir,
                                 adopted->slot);
        case ADOPTION_E_SLOT:
                return cli_fault(cli,
                                 "%s: the journal is of slot %d, which is none of this "
                                 "configuration: it is of another cluster",
                                 dir,
                                 adopted->slot);
        case ADOPTION_E_DATABASE:
                return cli_fault(cli,
                                 "%s: the database: %s; call it again",
                                 dir,
                                 db_conn_error(call->conn));
        default:
                return cli_fault(cli,
                                 "%s: ended early%s%s; call it again",
                                 dir,
                                 r < 0 ? ": " : "",
                                 r < 0 ? err_text(r) : "");
        }
}

/* What is not stored because it cannot be. */
static void adopt_say_losses(const char *dir, const Adopted *adopted) {
        if (adopted->n_damaged > 0)
                printf("%s: damaged between numbers %" PRIu64 " and %" PRIu64 ": up to %" PRIu64
                       " messages cannot be read; what is whole is kept\n",
                       dir,
                       adopted->damaged_after_seq,
                       adopted->damaged_until_seq,
                       adopted->n_damaged);
        if (adopted->n_gaps > 0)
                printf("%s: %" PRIu64 " places between numbers %" PRIu64 " and %" PRIu64
                       " are in none of its files: what they had is lost\n",
                       dir,
                       adopted->n_gaps,
                       adopted->gap_after_seq,
                       adopted->gap_last_seq + 1);
}

static int adopt_one(const AdoptCall *call, const char *dir) {
        Adopted adopted;
        int r = adoption_run(call->config, dir, call->conn, INT_MAX, &adopted);

        if (r == 0 || r == ADOPTION_E_ENDED)
                printf("%s: journal %s of slot %d: stored %" PRIu64 ", duplicates %" PRIu64
                       ", stored by others %" PRIu64 ", left %" PRIu64 "\n",
                       dir,
                       adopted.epoch,
                       adopted.slot,
                       adopted.n_stored,
                       adopted.n_again,
                       adopted.n_taken,
                       adopted.n_left);
        adopt_say_losses(dir, &adopted);
        if (r == ADOPTION_E_EMPTY) { /* of a slot that the node never had */
                printf("%s: journal %s: nothing in it, left 0\n", dir, adopted.epoch);
                r = 0;
        }
        (void)fflush(stdout);
        if (r != 0)
                return adopt_refuse(call, dir, &adopted, r);
        return adopted.n_damaged > 0 || adopted.n_gaps > 0 ? CLI_FAULT : CLI_OK;
}

int cli_journal_adopt(const Cli *cli) {
        __attribute__((cleanup(adopt_call_done))) AdoptCall call = { .cli = cli };
        int r;

        r = cli_load(cli, &call.config);
        if (r == CLI_OK)
                r = cli_connect(cli, call.config, &call.conn);
        if (r == CLI_OK)
                r = adopt_find(&call);
        if (r != CLI_OK)
                return r;
        (void)umask(0077);
        bus_error_guard();
        for (size_t i = 0; i < call.n_dirs; ++i) {
                int answer = adopt_one(&call, call.dirs[i]);

                if (answer != CLI_OK)
                        r = answer;
        }
        return r;
}
