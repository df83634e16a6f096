#include "gateway/discover/patterns.h"

#include "base/err.h"
#include "base/index.h"
#include "model/topic_filter.h"

#define PATTERNS_EXACT ((size_t)PATTERNS_SIBLINGS * 8)

void patterns_done(Patterns *patterns) {
        for (size_t i = 0; i < patterns->n; ++i)
                free(patterns->items[i]);
        free(patterns->items);
        *patterns = (Patterns){ 0 };
}

bool patterns_take(const Patterns *patterns, Text topic) {
        for (size_t i = 0; i < patterns->n; ++i)
                if (topic_filter_takes(patterns->items[i], topic))
                        return true;
        return false;
}

/* The topic with `+` in place of a level; NULL: it has no such level. Owned by the caller. */
static char *pattern_of(const char *topic, size_t level, bool *ret_is_oom) {
        const char *start = topic, *end;
        size_t n_front, n_back;
        char *pattern;

        *ret_is_oom = false;
        for (; level > 0 && start; --level) {
                start = strchr(start, '/');
                start = start ? start + 1 : NULL;
        }
        if (!start)
                return NULL;
        end = strchrnul(start, '/');
        n_front = (size_t)(start - topic);
        n_back = strlen(end);
        pattern = malloc(n_front + n_back + 2);
        *ret_is_oom = !pattern;
        if (!pattern)
                return NULL;
        memcpy(pattern, topic, n_front);
        pattern[n_front] = '+';
        memcpy(pattern + n_front + 1, end, n_back + 1);
        return pattern;
}

/* How many have each pattern: in @numbers, which the index points into. */
static int patterns_count(const Patterns *patterns, size_t level, size_t numbers[], Index *counts) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < patterns->n; ++i) {
                bool is_oom;
                char *pattern = pattern_of(patterns->items[i], level, &is_oom);
                size_t *number;

                if (is_oom)
                        return err_new(-ENOMEM);
                if (!pattern)
                        continue;
                number = index_get(counts, pattern, strlen(pattern));
                if (!number) {
                        number = &numbers[i];
                        r = index_put(counts, pattern, strlen(pattern), number);
                }
                ++*number;
                free(pattern);
        }
        return err_up(r);
}

/* As one of them, if it has as many siblings. */
static int patterns_widen(char **itemp, size_t level, size_t n_siblings, const Index *counts) {
        bool is_oom;
        char *pattern = pattern_of(*itemp, level, &is_oom);
        const size_t *number = pattern ? index_get(counts, pattern, strlen(pattern)) : NULL;

        if (is_oom)
                return err_new(-ENOMEM);
        if (number && *number >= n_siblings) {
                free(*itemp);
                *itemp = TAKE(&pattern);
        }
        free(pattern);
        return 0;
}

/* Each once. */
static int patterns_unite(Patterns *patterns) {
        CLEANUP(index_free) Index *seen = NULL;
        size_t n = 0;
        int r = index_new(&seen);

        for (size_t i = 0; i < patterns->n; ++i) {
                char *item = patterns->items[i];

                if (r == 0 && index_get(seen, item, strlen(item))) {
                        free(item);
                        continue;
                }
                if (r == 0)
                        r = index_put(seen, item, strlen(item), item);
                patterns->items[n++] = item;
        }
        patterns->n = n;
        return err_up(r);
}

static int patterns_join_level(Patterns *patterns, size_t level, size_t n_siblings) {
        CLEANUP(index_free) Index *counts = NULL;
        size_t *numbers = calloc(patterns->n + 1, sizeof(*numbers));
        int r = numbers ? index_new(&counts) : err_new(-ENOMEM);

        if (r == 0)
                r = patterns_count(patterns, level, numbers, counts);
        for (size_t i = 0; r == 0 && i < patterns->n; ++i)
                r = patterns_widen(&patterns->items[i], level, n_siblings, counts);
        free(numbers);
        return r == 0 ? err_up(patterns_unite(patterns)) : err_up(r);
}

static size_t patterns_depth(const Patterns *patterns) {
        size_t deepest = 0;

        for (size_t i = 0; i < patterns->n; ++i) {
                size_t n = 1;

                for (const char *at = patterns->items[i]; *at; ++at)
                        n += *at == '/';
                deepest = n > deepest ? n : deepest;
        }
        return deepest;
}

static int patterns_join(Patterns *patterns, size_t n_siblings) {
        size_t depth = patterns_depth(patterns);
        int r = 0;

        for (size_t level = 0; r == 0 && level < depth; ++level)
                r = patterns_join_level(patterns, level, n_siblings);
        return err_up(r);
}

int patterns_make(Patterns *ret_patterns, const Text topics[], size_t n_topics) {
        __attribute__((cleanup(patterns_done))) Patterns patterns = { 0 };
        int r = 0;

        patterns.items = calloc(n_topics + 1, sizeof(*patterns.items));
        if (!patterns.items)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < n_topics; ++i) {
                patterns.items[i] = strndup(topics[i].data, topics[i].n);
                if (!patterns.items[i])
                        return err_new(-ENOMEM);
                ++patterns.n;
        }
        if (patterns.n > PATTERNS_EXACT)
                r = patterns_join(&patterns, PATTERNS_SIBLINGS);
        if (r == 0 && patterns.n > PATTERNS_MOST)
                r = patterns_join(&patterns, 2);
        if (r == 0 && patterns.n > PATTERNS_MOST) /* whatever has as many levels */
                r = patterns_join(&patterns, 1);
        if (r != 0)
                return err_up(r);
        *ret_patterns = patterns;
        patterns = (Patterns){ 0 };
        return 0;
}
