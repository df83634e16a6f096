#include "gateway/move/row.h"

#include <stdio.h>

#include "base/name.h"
#include "base/text.h"

static const char *const row_kind_names[ROW_KIND_COUNT] = {
        [ROW_USERS] = "users",   [ROW_DEVICES] = "devices", [ROW_VEHICLES] = "vehicles",
        [ROW_GROUPS] = "groups", [ROW_SHARES] = "shares",
};

const char *row_kind_name(RowKind kind) {
        return row_kind_names[kind];
}

RowKind row_kind_of(Text name) {
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind)
                if (text_equal(name, text_of(row_kind_names[kind])))
                        return kind;
        return ROW_KIND_COUNT;
}

RowKind row_kind_near(const char *name) {
        size_t n = strlen(name), least = 4;
        RowKind nearest = ROW_KIND_COUNT;

        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind) {
                size_t distance = text_distance(name, row_kind_names[kind]);

                if (distance >= least || distance * 2 > n)
                        continue;
                nearest = kind;
                least = distance;
        }
        return nearest;
}

static void row_name(Text column, char ret_name[ROW_COLUMN_MAX]) {
        snprintf(ret_name,
                 ROW_COLUMN_MAX,
                 "%.*s",
                 (int)(column.n < ROW_COLUMN_MAX ? column.n : ROW_COLUMN_MAX - 1),
                 column.data);
}

static bool row_cell(Row *row, Text column, Text value, bool is_number, const RowHandler *handler) {
        RowCell *cell = &row->cells[row->n_cells];
        char name[ROW_COLUMN_MAX];

        row_name(column, name);
        if (row->n_cells == ROW_CELLS_MAX) {
                handler->fault(handler->arg, row->line, name, "more than 64 columns");
                return false;
        }
        memcpy(cell->column, name, sizeof(name));
        if (value.n > 0)
                memcpy(cell->value, value.data, value.n);
        cell->value[value.n] = '\0';
        cell->is_number = is_number;
        ++row->n_cells;
        return true;
}

bool row_put_unfit(Row *row, Text column, const char *why, const RowHandler *handler) {
        char name[ROW_COLUMN_MAX];

        row_name(column, name);
        if (handler->wants && !handler->wants(handler->arg, row->kind, name))
                return row_cell(row, column, (Text){ 0 }, false, handler);
        handler->fault(handler->arg, row->line, name, why);
        return false;
}

bool row_put(Row *row, Text column, Text value, bool is_number, const RowHandler *handler) {
        const char *why = NULL;

        if (value.n == 0)
                return true;
        if (value.n >= ROW_VALUE_MAX)
                why = "too long: at most 1023 bytes";
        else if (memchr(value.data, '\0', value.n))
                why = "has a NUL";
        else if (!name_is_utf8(value))
                why = "is not UTF-8";
        return why ? row_put_unfit(row, column, why, handler)
                   : row_cell(row, column, value, is_number, handler);
}
