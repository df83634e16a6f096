#include "gateway/move/mover.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/index.h"
#include "base/secret.h"
#include "db/edit/import.h"
#include "gateway/move/columns.h"

#define MOVER_DRY_ID INT64_C(4000000000000000000) /* what a row without an id has until it goes */

struct Mover {
        MoverOptions options;
        MoverCounts counts[ROW_KIND_COUNT];
        Columns columns;
        Index *tokens;  /* and whose they are: nobody has another's */
        Index *made;    /* names of this run, and of what else each row said */
        Index *strange; /* columns that were told of */
        int64_t reserve[ROW_KIND_COUNT];
        int64_t n_dry_ids;
        const RowFile *file; /* in hand, borrowed */
        size_t line;
        int result; /* what ended it */
};

static const DbImportKind mover_kinds[ROW_KIND_COUNT] = {
        [ROW_USERS] = DB_IMPORT_USER,       [ROW_DEVICES] = DB_IMPORT_DEVICE,
        [ROW_VEHICLES] = DB_IMPORT_VEHICLE, [ROW_GROUPS] = DB_IMPORT_GROUP,
        [ROW_SHARES] = DB_IMPORT_SHARE,
};

int mover_new(Mover **ret_mover, const MoverOptions *options) {
        CLEANUP(mover_free) Mover *mover = calloc(1, sizeof(*mover));
        int r;

        if (!mover)
                return err_new(-ENOMEM);
        mover->options = *options;
        r = index_new(&mover->tokens);
        if (r == 0)
                r = index_new(&mover->made);
        if (r == 0)
                r = index_new(&mover->strange);
        if (r < 0)
                return err_up(r);
        *ret_mover = TAKE(&mover);
        return 0;
}

Mover *mover_free(Mover *mover) {
        if (!mover)
                return NULL;
        index_free(mover->tokens);
        index_free(mover->made);
        index_free(mover->strange);
        secret_wipe(&mover->columns, sizeof(mover->columns));
        free(mover);
        return NULL;
}

bool mover_knows(const char *from) {
        return columns_know(from);
}

const MoverCounts *mover_counts(const Mover *mover, RowKind kind) {
        return &mover->counts[kind];
}

void mover_at(const Mover *mover, const char **ret_file, size_t *ret_line) {
        *ret_file = mover->file ? row_file_name(mover->file) : NULL;
        *ret_line = mover->line;
}

static void mover_say(Mover *mover, const char *column, const char *why, bool is_refused) {
        mover->options.news(mover->options.arg,
                            &(MoverNews){ .file = row_file_name(mover->file),
                                          .line = mover->line,
                                          .column = column,
                                          .why = why,
                                          .is_refused = is_refused });
}

/* ---- one row ------------------------------------------------------------------------------ */

static bool mover_has_both(const Columns *columns, DbImported outcome) {
        const char *const *values = columns->values;

        switch (outcome) {
        case DB_IMPORTED_NO_USER:
                return values[DB_IMPORT_USER_NAME] && values[DB_IMPORT_USER_ID];
        case DB_IMPORTED_NO_DEVICE:
                return values[DB_IMPORT_DEVICE_CODE] && values[DB_IMPORT_DEVICE_ID];
        case DB_IMPORTED_NO_VEHICLE:
                return values[DB_IMPORT_VEHICLE_CODE] && values[DB_IMPORT_VEHICLE_ID];
        case DB_IMPORTED_NO_GROUP:
                return values[DB_IMPORT_GROUP_NAME] && values[DB_IMPORT_GROUP_ID];
        default:
                return false;
        }
}

static const char *mover_why(const Columns *columns, DbImported outcome) {
        if (mover_has_both(columns, outcome))
                return "there is none with this name and this id";
        switch (outcome) {
        case DB_IMPORTED_NAME:
                return "the name is taken, by one with another id";
        case DB_IMPORTED_CASE:
                return "the name is taken, but for upper and lower case";
        case DB_IMPORTED_ID:
                return "the id is taken, by one with another name";
        case DB_IMPORTED_IDENTIFIER:
                return "the name is taken, as the identifier of another";
        case DB_IMPORTED_TOPIC:
                return "is another's, or his name";
        case DB_IMPORTED_KEY:
                return "the key is taken";
        case DB_IMPORTED_NO_USER:
                return "there is no such user";
        case DB_IMPORTED_NO_DEVICE:
                return "there is no such device";
        case DB_IMPORTED_NO_VEHICLE:
                return "there is no such vehicle";
        default:
                return "there is no such group";
        }
}

static const char *mover_column(RowKind kind, DbImported outcome) {
        static const char *const names[] = { [ROW_USERS] = "username",
                                             [ROW_DEVICES] = "code",
                                             [ROW_VEHICLES] = "code",
                                             [ROW_GROUPS] = "name",
                                             [ROW_SHARES] = "" };

        switch (outcome) {
        case DB_IMPORTED_NAME:
        case DB_IMPORTED_CASE:
        case DB_IMPORTED_IDENTIFIER:
                return names[kind];
        case DB_IMPORTED_ID:
                return "id";
        case DB_IMPORTED_TOPIC:
                return "identifier";
        case DB_IMPORTED_KEY:
                return "key";
        case DB_IMPORTED_NO_USER:
                return "user";
        case DB_IMPORTED_NO_DEVICE:
                return "device";
        case DB_IMPORTED_NO_VEHICLE:
                return "vehicle";
        default:
                return "group";
        }
}

/* Told once of each column: a file has it in every row. */
static int mover_strange(Mover *mover, RowKind kind, const char *column) {
        char key[ROW_COLUMN_MAX + 16];
        int n = snprintf(key, sizeof(key), "%s.%s", row_kind_name(kind), column);

        if (index_get(mover->strange, key, (size_t)n))
                return 0;
        mover_say(mover, column, "this column is not taken", false);
        return err_up(index_put(mover->strange, key, (size_t)n, mover));
}

/* 0, or COLUMNS_E_REFUSED, which was told. */
static int mover_read(Mover *mover, const Row *row) {
        Columns *columns = &mover->columns;
        int r, r_row = 0;

        columns_begin(columns);
        for (size_t i = 0; i <= row->n_cells; ++i) {
                r = i < row->n_cells
                            ? columns_put(columns, mover->options.from, row->kind, &row->cells[i])
                            : columns_end(columns, mover->options.from, row->kind);
                switch (r) {
                case 0:
                        break;
                case COLUMNS_E_UNKNOWN:
                        r = mover_strange(mover, row->kind, columns->column);
                        if (r < 0)
                                return err_up(r);
                        break;
                default:
                        mover_say(mover, columns->column, columns->why, r == COLUMNS_E_REFUSED);
                        if (r == COLUMNS_E_REFUSED)
                                r_row = r;
                }
                if (r_row != 0 && i + 1 >= row->n_cells)
                        break; /* what a refused value would have been is not missing */
        }
        return r_row;
}

/* Notes @key, and that it is @whose. False: it is another's. */
static int mover_note(Mover *mover, Index *index, const char *key, Text whose, bool *ret_free) {
        CLEANUP_BUF Buf both = { 0 };
        int r;

        buf_append_string(&both, key);
        buf_append_char(&both, '\0');
        buf_append_text(&both, whose);
        if (buf_failed(&both))
                return err_new(-ENOMEM);
        *ret_free = !index_get(index, key, strlen(key)) || index_get(index, both.data, both.n);
        if (!*ret_free)
                return 0;
        r = index_put(index, key, strlen(key), mover);
        if (r == 0)
                r = index_put(index, both.data, both.n, mover);
        return err_up(r);
}

/* Of two devices with one token nobody could say which it is. */
static int mover_on_token(void *arg, const char *token, const char *code) {
        Mover *mover = arg;
        bool is_free;

        return err_up(mover_note(mover, mover->tokens, token, text_of(code), &is_free));
}

static int mover_token(Mover *mover, bool *ret_free) {
        const char *const *values = mover->columns.values;

        *ret_free = true;
        if (!values[DB_IMPORT_TOKEN])
                return 0;
        return err_up(mover_note(mover,
                                 mover->tokens,
                                 values[DB_IMPORT_TOKEN],
                                 text_of(values[DB_IMPORT_NAME]),
                                 ret_free));
}

/* Of two rows for one thing that say something else nobody could say which is meant. */
static int mover_same(Mover *mover, RowKind kind, bool *ret_same) {
        const char *const *values = mover->columns.values;
        char digest[SECRET_SHA256_SIZE], key[COLUMN_TEXT_MAX + 16];
        CLEANUP_BUF Buf all = { 0 };
        bool failed;

        *ret_same = true;
        if (kind == ROW_GROUPS || kind == ROW_SHARES)
                return 0;
        for (size_t i = 0; i < DB_IMPORT_VALUE_COUNT; ++i) {
                buf_append_string(&all, values[i] ? values[i] : "");
                buf_append_char(&all, values[i] ? '\0' : '\1');
        }
        failed = buf_failed(&all) || secret_sha256_hex(buf_text(&all), digest) != 0;
        if (all.data)
                secret_wipe(all.data, all.capacity); /* there are hashes in it */
        if (failed)
                return err_new(-ENOMEM);
        snprintf(key, sizeof(key), "%s.%s", row_kind_name(kind), values[DB_IMPORT_NAME]);
        return err_up(mover_note(mover, mover->made, key, text_of(digest), ret_same));
}

/* One that has no id gets one of the sequence, which no rollback takes back: not in a dry run. */
static bool mover_makes_id(Mover *mover, RowKind kind) {
        Columns *columns = &mover->columns;

        if (!mover->options.is_dry || kind == ROW_SHARES || columns->values[DB_IMPORT_ID])
                return false;
        snprintf(columns->texts[DB_IMPORT_ID],
                 COLUMN_TEXT_MAX,
                 "%lld",
                 (long long)(MOVER_DRY_ID + ++mover->n_dry_ids));
        columns->values[DB_IMPORT_ID] = columns->texts[DB_IMPORT_ID];
        return true;
}

static int mover_write(Mover *mover, const Row *row, DbImported *ret_outcome) {
        const char *const *values = mover->columns.values;
        bool has_made_id = mover_makes_id(mover, row->kind);
        DbImported outcome = DB_IMPORTED, member = DB_IMPORTED_THERE;
        int r;

        r = db_import_row(mover->options.conn, mover_kinds[row->kind], values, &outcome);
        if (outcome == DB_IMPORTED_NAME && has_made_id)
                outcome = DB_IMPORTED_THERE;
        if (r == 0 && outcome <= DB_IMPORTED_THERE && row->kind == ROW_GROUPS &&
            (values[DB_IMPORT_DEVICE_CODE] || values[DB_IMPORT_DEVICE_ID])) {
                r = db_import_row(mover->options.conn, DB_IMPORT_MEMBER, values, &member);
                if (member != DB_IMPORTED_THERE)
                        outcome = member;
        }
        *ret_outcome = outcome;
        return r < 0 ? err_up(r) : r;
}

/* False: another row, or what is there, forbids it, which was told. */
static int mover_may(Mover *mover, RowKind kind, bool *ret_may) {
        bool is_free = true, is_same = true;
        int r;

        r = mover_same(mover, kind, &is_same);
        if (r == 0 && is_same)
                r = mover_token(mover, &is_free);
        if (r < 0)
                return err_up(r);
        if (!is_same)
                mover_say(mover,
                          mover_column(kind, DB_IMPORTED_NAME),
                          "is in the files twice, and they differ",
                          true);
        else if (!is_free)
                mover_say(mover, "token_hash", "another device has this token", true);
        *ret_may = is_same && is_free;
        return 0;
}

static int mover_take(Mover *mover, const Row *row) {
        MoverCounts *counts = &mover->counts[row->kind];
        DbImported outcome = DB_IMPORTED;
        bool may = false;
        int r;

        r = mover_may(mover, row->kind, &may);
        if (r < 0)
                return err_up(r);
        if (!may) {
                ++counts->n_refused;
                return 0;
        }
        r = mover_write(mover, row, &outcome);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (outcome > DB_IMPORTED_THERE) {
                ++counts->n_refused;
                mover_say(mover,
                          mover_column(row->kind, outcome),
                          mover_why(&mover->columns, outcome),
                          true);
        } else if (outcome == DB_IMPORTED) {
                ++counts->n_taken;
        } else {
                ++counts->n_there;
        }
        return 0;
}

static int mover_on_row(void *arg, const Row *row) {
        Mover *mover = arg;
        int r;

        mover->line = row->line;
        r = mover_read(mover, row);
        if (r == COLUMNS_E_REFUSED)
                ++mover->counts[row->kind].n_refused;
        if (r == 0)
                r = mover_take(mover, row);
        else if (r > 0)
                r = 0;
        mover->result = r;
        return r;
}

/* ---- all of them -------------------------------------------------------------------------- */

typedef struct MoverFault MoverFault;

struct MoverFault {
        Mover *mover;
        RowKind kind;
};

static void mover_on_fault(void *arg, size_t line, const char *column, const char *why) {
        MoverFault *fault = arg;
        Mover *mover = fault->mover;
        char key[512];
        int n;

        /* Of JSON that has everything each kind is looked for, and meets the same. */
        n = snprintf(key,
                     sizeof(key),
                     "%p:%zu:%s:%s",
                     (const void *)mover->file,
                     line,
                     column,
                     why);
        if (n >= (int)sizeof(key) || index_get(mover->strange, key, (size_t)n))
                return;
        if (index_put(mover->strange, key, (size_t)n, mover) < 0)
                return;
        mover->line = line;
        ++fault->mover->counts[fault->kind].n_refused;
        mover_say(fault->mover, column, why, true);
}

static int mover_fault_row(void *arg, const Row *row) {
        return mover_on_row(((MoverFault *)arg)->mover, row);
}

static bool mover_wants(void *arg, RowKind kind, const char *column) {
        return columns_want(((MoverFault *)arg)->mover->options.from, kind, column);
}

static void mover_no_fault(void *arg, size_t line, const char *column, const char *why) {
        (void)arg, (void)line, (void)column, (void)why; /* told when the rows are taken */
}

static int mover_note_id(void *arg, const Row *row) {
        Mover *mover = ((MoverFault *)arg)->mover;
        int64_t *most = &mover->reserve[row->kind];
        Columns *columns = &mover->columns;

        for (size_t i = 0; i < row->n_cells; ++i) {
                if (strcmp(row->cells[i].column, "id") != 0)
                        continue;
                columns_begin(columns);
                if (columns_put(columns, NULL, row->kind, &row->cells[i]) == 0 &&
                    strtoll(columns->texts[DB_IMPORT_ID], NULL, 10) > *most)
                        *most = strtoll(columns->texts[DB_IMPORT_ID], NULL, 10);
        }
        return 0;
}

/* The sequences are moved on first, so that nobody is given an id that is about to be taken. */
static int mover_reserve(Mover *mover, RowFile *const files[], size_t n) {
        MoverFault fault = { .mover = mover };
        const RowHandler handler = { mover_note_id, mover_no_fault, &fault, mover_wants };
        int r = 0;

        for (RowKind kind = ROW_USERS; r == 0 && kind < ROW_SHARES; ++kind) {
                for (size_t i = 0; r == 0 && i < n; ++i)
                        r = row_file_each(files[i], kind, &handler);
                if (r == 0 && mover->reserve[kind] > 0)
                        r = db_import_reserve(mover->options.conn,
                                              mover_kinds[kind],
                                              mover->reserve[kind]);
        }
        return r < 0 ? err_up(r) : r;
}

static int mover_rows(Mover *mover, RowFile *const files[], size_t n) {
        int r = 0;

        for (RowKind kind = ROW_USERS; r == 0 && kind < ROW_KIND_COUNT; ++kind)
                for (size_t i = 0; r == 0 && i < n; ++i) {
                        MoverFault fault = { mover, kind };

                        mover->file = files[i];
                        r = row_file_each(files[i],
                                          kind,
                                          &(RowHandler){ mover_fault_row,
                                                         mover_on_fault,
                                                         &fault,
                                                         mover_wants });
                }
        return r < 0 ? err_up(r) : r;
}

static bool mover_has_refused(const Mover *mover) {
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind)
                if (mover->counts[kind].n_refused > 0)
                        return true;
        return false;
}

int mover_run(Mover *mover, RowFile *const files[], size_t n, bool *ret_kept) {
        DbConn *conn = mover->options.conn;
        bool keep;
        int r = 0;

        *ret_kept = false;
        if (!mover->options.is_dry)
                r = mover_reserve(mover, files, n);
        if (r == 0)
                r = db_import_begin(conn);
        if (r == 0)
                r = db_import_tokens(conn, mover_on_token, mover);
        if (r == 0)
                r = mover_rows(mover, files, n);
        if (r != 0)
                return r < 0 ? err_up(r) : r; /* and the connection ends with it */
        keep = !mover->options.is_dry && (mover->options.is_partial || !mover_has_refused(mover));
        r = db_import_end(conn, keep);
        *ret_kept = r == 0 && keep;
        return r < 0 ? err_up(r) : r;
}
