#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json_out.h"
#include "db/conn.h"
#include "db/edit/admin.h"
#include "gateway/cli/cli_command.h"
#include "gateway/move/mover.h"

#define IMPORT_FILES_MAX 64
#define IMPORT_NEWS_MAX  1000 /* that are printed */

typedef struct CliImport CliImport;

struct CliImport {
        const Cli *cli;
        RowFile *files[IMPORT_FILES_MAX];
        size_t n_files;
        uint64_t n_news;
        bool is_json;
        Buf json; /* of the list of news */
};

static CliImport *cli_import_free(CliImport *import) {
        if (!import)
                return NULL;
        for (size_t i = 0; i < import->n_files; ++i)
                row_file_free(import->files[i]);
        buf_done(&import->json);
        free(import);
        return NULL;
}

DEFINE_CLEANUP(CliImport *, cli_import_free);

static int cli_import_open(CliImport *import) {
        const Cli *cli = import->cli;

        if (cli->n_operands > IMPORT_FILES_MAX)
                return cli_usage_error(cli, "at most %d files", IMPORT_FILES_MAX);
        for (size_t i = 0; i < cli->n_operands; ++i) {
                const char *name = cli->operands[i];
                int r = row_file_open(&import->files[i], name);

                switch (r) {
                case 0:
                        import->n_files = i + 1;
                        break;
                case ROW_FILE_E_KIND:
                        return cli_usage_error(cli,
                                               "%s: says not what it has; allowed: users.csv, "
                                               "users.json, users=FILE (also devices, vehicles, "
                                               "groups, shares), and *.json with lists of them",
                                               name);
                case ROW_FILE_E_UNREADABLE:
                        return cli_usage_error(cli,
                                               "%s: cannot be read, is no file, or larger than %d "
                                               "MiB",
                                               name,
                                               ROW_FILE_MAX >> 20);
                default:
                        return cli_fault(cli, "%s: %s", name, err_text(r));
                }
        }
        return CLI_OK;
}

/* ---- what is told ------------------------------------------------------------------------- */

static void cli_import_json_news(JsonOut *out, const MoverNews *news) {
        json_out_object(out, NULL);
        json_out_string(out, "file", news->file);
        json_out_int(out, "line", (int64_t)news->line);
        json_out_string(out, "column", *news->column ? news->column : NULL);
        json_out_string(out, "reason", news->why);
        json_out_bool(out, "refused", news->is_refused);
        json_out_object_end(out);
}

static void cli_import_news(void *arg, const MoverNews *news) {
        CliImport *import = arg;

        if (++import->n_news > IMPORT_NEWS_MAX)
                return;
        if (import->is_json)
                cli_import_json_news(&(JsonOut){ .buf = &import->json,
                                                 .needs_comma = import->json.n > 0 },
                                     news);
        else
                printf("%s:%zu: %s%s%s%s\n",
                       news->file,
                       news->line,
                       news->is_refused ? "refused: " : "note: ",
                       news->column,
                       *news->column ? " " : "",
                       news->why);
}

static void cli_import_print(const CliImport *import, const Mover *mover, bool is_kept) {
        uint64_t n_refused = 0;

        if (import->n_news > IMPORT_NEWS_MAX)
                printf("... and %" PRIu64 " more\n", import->n_news - IMPORT_NEWS_MAX);
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind) {
                const MoverCounts *counts = mover_counts(mover, kind);

                n_refused += counts->n_refused;
                if (counts->n_taken + counts->n_there + counts->n_refused > 0)
                        printf("%s: %" PRIu64 " taken, %" PRIu64 " there already, %" PRIu64
                               " refused\n",
                               row_kind_name(kind),
                               counts->n_taken,
                               counts->n_there,
                               counts->n_refused);
        }
        if (import->cli->values[CLI_DRY_RUN])
                printf("dry run: nothing was changed\n");
        else if (!is_kept)
                printf("nothing was changed, as %" PRIu64 " were refused: mend them, or --partial "
                       "takes the others\n",
                       n_refused);
}

static void cli_import_json_counts(JsonOut *out, const char *name, const MoverCounts *counts) {
        json_out_object(out, name);
        json_out_int(out, "taken", (int64_t)counts->n_taken);
        json_out_int(out, "there", (int64_t)counts->n_there);
        json_out_int(out, "refused", (int64_t)counts->n_refused);
        json_out_object_end(out);
}

static void cli_import_print_json(CliImport *import, const Mover *mover, bool is_kept) {
        uint64_t n_more = import->n_news > IMPORT_NEWS_MAX ? import->n_news - IMPORT_NEWS_MAX : 0;
        CLEANUP_BUF Buf buf = { 0 };
        JsonOut out = { .buf = &buf };

        json_out_object(&out, NULL);
        json_out_bool(&out, "dry_run", import->cli->values[CLI_DRY_RUN]);
        json_out_bool(&out, "changed", is_kept);
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind)
                cli_import_json_counts(&out, row_kind_name(kind), mover_counts(mover, kind));
        json_out_array(&out, "news");
        json_out_raw(&out, NULL, buf_text(&import->json));
        json_out_array_end(&out);
        json_out_int(&out, "more", (int64_t)n_more);
        json_out_object_end(&out);
        if (!buf_failed(&buf) && !buf_failed(&import->json))
                puts(buf.data);
}

/* ---- the command -------------------------------------------------------------------------- */

static bool cli_import_has_refused(const Mover *mover) {
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind)
                if (mover_counts(mover, kind)->n_refused > 0)
                        return true;
        return false;
}

static int cli_import_run(CliImport *import, DbConn *conn) {
        const Cli *cli = import->cli;
        CLEANUP(mover_free) Mover *mover = NULL;
        const MoverOptions options = {
                .conn = conn,
                .from = cli->values[CLI_FROM],
                .is_dry = cli->values[CLI_DRY_RUN] != NULL,
                .is_partial = cli->values[CLI_PARTIAL] != NULL,
                .news = cli_import_news,
                .arg = import,
        };
        bool is_kept = false;
        const char *file;
        char where[512];
        size_t line;
        int r;

        r = mover_new(&mover, &options);
        if (r == 0)
                r = mover_run(mover, import->files, import->n_files, &is_kept);
        if (r != 0 && mover) {
                mover_at(mover, &file, &line);
                snprintf(where, sizeof(where), "%s, line %zu", file ? file : "import", line);
                (void)cli_db_result(cli, conn, r, where);
                return cli_fault(cli, "%s: nothing was changed", where);
        }
        if (r != 0)
                return cli_fault(cli, "%s", err_text(r));
        if (import->is_json)
                cli_import_print_json(import, mover, is_kept);
        else
                cli_import_print(import, mover, is_kept);
        return cli_import_has_refused(mover) ? CLI_FAULT : CLI_OK;
}

int cli_import(const Cli *cli) {
        CLEANUP(cli_import_free) CliImport *import = calloc(1, sizeof(*import));
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int r;

        if (!import)
                return cli_fault(cli, "out of memory");
        import->cli = cli;
        import->is_json = cli->values[CLI_JSON] != NULL;
        if (cli->values[CLI_FROM] && !mover_knows(cli->values[CLI_FROM]))
                return cli_usage_error(cli,
                                       "--from '%s': allowed: people-counter, energy, device-hub, "
                                       "vehicles, cameras",
                                       cli->values[CLI_FROM]);
        r = cli_import_open(import);
        if (r == CLI_OK)
                r = cli_load(cli, &config);
        if (r == CLI_OK)
                r = cli_connect(cli, config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_admin_lock(conn, "tidegate_import");
        if (r == DB_E_BUSY)
                return cli_fault(cli, "another import is under way");
        if (r != 0)
                return cli_db_result(cli, conn, r, "import");
        return cli_import_run(import, conn);
}
