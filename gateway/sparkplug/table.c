#include "gateway/sparkplug/table.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/index.h"
#include "gateway/sparkplug/payload.h"

#define TABLE_BLOCK ((size_t)1024)

struct SparkplugTable {
        unsigned n_refs;
        Arena *arena; /* of the names, */
        SparkplugTerm *terms;
        size_t n;
        Index *by_name, *by_alias;
};

static int table_add(SparkplugTable *table, const SparkplugMetric *metric) {
        SparkplugTerm *term = &table->terms[table->n];
        int r;

        *term = (SparkplugTerm){
                .name = arena_copy(table->arena, metric->name.data, metric->name.n),
                .has_alias = metric->has_alias,
                .alias = metric->alias,
                .type = metric->type,
        };
        if (!term->name.data)
                return err_new(-ENOMEM);
        ++table->n;
        r = index_put(table->by_name, term->name.data, term->name.n, term);
        if (r == 0 && term->has_alias)
                r = index_put(table->by_alias, &term->alias, sizeof(term->alias), term);
        return r == 0 ? 0 : err_up(r);
}

static int table_init(SparkplugTable *table, size_t capacity) {
        int r;

        table->n_refs = 1;
        table->terms = calloc(capacity + 1, sizeof(*table->terms));
        if (!table->terms)
                return err_new(-ENOMEM);
        r = arena_new(&table->arena, TABLE_BLOCK);
        if (r == 0)
                r = index_new(&table->by_name);
        if (r == 0)
                r = index_new(&table->by_alias);
        return r == 0 ? 0 : err_up(r);
}

int sparkplug_table_new(SparkplugTable **ret_table, const SparkplugPayload *birth, size_t n_max) {
        CLEANUP(sparkplug_table_unref) SparkplugTable *table = calloc(1, sizeof(*table));
        size_t n = sparkplug_payload_length(birth);
        size_t capacity = n < n_max ? n : n_max;
        int r;

        if (!table)
                return err_new(-ENOMEM);
        r = table_init(table, capacity);
        for (size_t i = 0; r == 0 && i < n && table->n < capacity; ++i) {
                SparkplugMetric metric = sparkplug_payload_metric(birth, i);

                if (metric.name.n > 0)
                        r = table_add(table, &metric);
        }
        if (r != 0)
                return err_up(r);
        *ret_table = TAKE(&table);
        return 0;
}

SparkplugTable *sparkplug_table_ref(SparkplugTable *table) {
        ++table->n_refs;
        return table;
}

SparkplugTable *sparkplug_table_unref(SparkplugTable *table) {
        if (!table || --table->n_refs > 0)
                return NULL;
        index_free(table->by_name);
        index_free(table->by_alias);
        arena_free(table->arena);
        free(table->terms);
        free(table);
        return NULL;
}

bool sparkplug_table_equal(const SparkplugTable *a, const SparkplugTable *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; ++i) {
                const SparkplugTerm *left = &a->terms[i], *right = &b->terms[i];

                if (!text_equal(left->name, right->name) || left->has_alias != right->has_alias ||
                    left->alias != right->alias || left->type != right->type)
                        return false;
        }
        return true;
}

size_t sparkplug_table_length(const SparkplugTable *table) {
        return table->n;
}

const SparkplugTerm *sparkplug_table_alias(const SparkplugTable *table, uint64_t alias) {
        return index_get(table->by_alias, &alias, sizeof(alias));
}

const SparkplugTerm *sparkplug_table_name(const SparkplugTable *table, Text name) {
        return index_get(table->by_name, name.data, name.n);
}
