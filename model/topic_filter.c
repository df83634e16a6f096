#include "model/topic_filter.h"

#include "base/err.h"
#include "base/text.h"
#include "model/topic_level.h"

static Text topic_filter_level(const char **at) {
        Text level = { *at, strcspn(*at, "/") };

        *at += level.n;
        return level;
}

static bool topic_filter_is(Text level, const char *text) {
        return text_equal(level, text_of(text));
}

bool topic_filter_is_valid(Text filter) {
        size_t at = 0;

        if (!topic_is_plain(filter))
                return false;
        while (at <= filter.n) {
                const char *end = memchr(filter.data + at, '/', filter.n - at);
                size_t n = end ? (size_t)(end - filter.data) - at : filter.n - at;

                if (n > 1 && (memchr(filter.data + at, '+', n) || memchr(filter.data + at, '#', n)))
                        return false;
                if (n == 1 && filter.data[at] == '#' && end)
                        return false;
                at += n + 1;
        }
        return true;
}

/* Of one with a rest in the middle each side is a filter, the second without a rest of its own. */
bool topic_pattern_is_valid(Text pattern) {
        const char *rest = memmem(pattern.data, pattern.n, "#/", 2);
        Text front, behind;

        if (!rest)
                return topic_filter_is_valid(pattern);
        front = (Text){ pattern.data, (size_t)(rest - pattern.data) + 1 };
        behind = (Text){ rest + 2, pattern.n - front.n - 1 };
        return topic_filter_is_valid(front) && topic_filter_is_valid(behind) &&
               !memchr(behind.data, '#', behind.n) && topic_is_plain(pattern);
}

/* True: they agree in one level more; *ret_is_rest: and in all that follow. */
static bool topic_filter_agree(Text a, Text b, bool both_ways, bool *ret_is_rest) {
        *ret_is_rest = topic_filter_is(a, "#") || (both_ways && topic_filter_is(b, "#"));
        if (*ret_is_rest)
                return true;
        if (topic_filter_is(a, "+"))
                return !topic_filter_is(b, "#");
        return text_equal(a, b) || (both_ways && topic_filter_is(b, "+"));
}

static bool topic_filter_compare(const char *a, const char *b, bool both_ways) {
        bool is_rest = false;

        if (strcmp(a, b) == 0)
                return true;
        if (strncmp(a, "$share/", 7) == 0 || strncmp(b, "$share/", 7) == 0)
                return false;
        if ((*a == '$') != (*b == '$')) /* no wildcard at the beginning takes $SYS and the like */
                return false;
        for (;;) {
                if (!topic_filter_agree(topic_filter_level(&a),
                                        topic_filter_level(&b),
                                        both_ways,
                                        &is_rest))
                        return false;
                if (is_rest || (*a == '\0' && *b == '\0'))
                        return true;
                if (*a == '\0' || *b == '\0') /* "a/#" is "a" as well */
                        return strcmp(a, "/#") == 0 || (both_ways && strcmp(b, "/#") == 0);
                ++a;
                ++b;
        }
}

/* A rest in the middle of a pattern: what is behind it; NULL: it has none. */
static const char *topic_pattern_behind(const char *pattern) {
        const char *rest = strstr(pattern, "#/");

        return rest ? rest + 2 : NULL;
}

bool topic_filter_covers(const char *wide, const char *narrow) {
        if (topic_pattern_behind(wide))
                return strcmp(wide, narrow) == 0;
        return topic_filter_compare(wide, narrow, false);
}

typedef struct TopicSides TopicSides;

/* The levels before and behind the rest; where there is none, all are both. */
struct TopicSides {
        Text before, behind;
        size_t n_before, n_behind;
        bool has_rest;
};

static TopicSides topic_sides(const char *pattern) {
        Text all = text_of(pattern);
        size_t n = strcspn(pattern, "#");
        TopicSides sides = { .before = all, .behind = all, .has_rest = n < all.n };

        if (sides.has_rest) {
                sides.before = n > 0 ? (Text){ pattern, n - 1 } : (Text){ 0 };
                sides.behind = pattern[n + 1] == '/' ? text_of(pattern + n + 2) : (Text){ 0 };
        }
        sides.n_before = topic_count_levels(sides.before);
        sides.n_behind = topic_count_levels(sides.behind);
        return sides;
}

/* In as many levels as both have, from the front or from the end. */
static bool topic_sides_agree(Text a, Text b, Text (*take)(Text *rest)) {
        while (a.data && b.data) {
                Text one = take(&a), other = take(&b);

                if (!text_equal(one, other) && !topic_filter_is(one, "+") &&
                    !topic_filter_is(other, "+"))
                        return false;
        }
        return true;
}

/* Of how many levels a topic is at least, and at most. */
static size_t topic_sides_least(const TopicSides *sides) {
        if (!sides->has_rest)
                return sides->n_before;
        return sides->n_before + sides->n_behind + (sides->n_behind > 0);
}

static size_t topic_sides_most(const TopicSides *sides) {
        return sides->has_rest ? SIZE_MAX : sides->n_before;
}

static bool topic_pattern_meets(const char *a, const char *b) {
        TopicSides one = topic_sides(a), other = topic_sides(b);

        return (*a == '$') == (*b == '$') && topic_sides_least(&one) <= topic_sides_most(&other) &&
               topic_sides_least(&other) <= topic_sides_most(&one) &&
               topic_sides_agree(one.before, other.before, topic_take_level) &&
               topic_sides_agree(one.behind, other.behind, topic_take_last);
}

bool topic_filter_meets(const char *a, const char *b) {
        if (topic_pattern_behind(a) || topic_pattern_behind(b))
                return topic_pattern_meets(a, b);
        return topic_filter_compare(a, b, true);
}

bool topic_filter_takes(const char *filter, Text topic) {
        size_t at = 0;

        if (strncmp(filter, "$share/", 7) == 0) {
                filter += 7 + strcspn(filter + 7, "/");
                filter += *filter == '/';
        }
        if (topic.n == 0 || (topic.data[0] == '$') != (*filter == '$'))
                return false;
        for (;;) {
                Text wanted = topic_filter_level(&filter);
                const char *end = memchr(topic.data + at, '/', topic.n - at);
                Text level = { topic.data + at,
                               end ? (size_t)(end - topic.data) - at : topic.n - at };

                if (topic_filter_is(wanted, "#") && *filter == '\0')
                        return true;
                if (topic_filter_is(wanted, "#")) {
                        Text rest = { topic.data + at, topic.n - at }, front, behind;

                        if (!topic_split(rest,
                                         topic_count_levels(text_of(filter + 1)),
                                         &front,
                                         &behind))
                                return false;
                        at = (size_t)(behind.data - topic.data);
                        ++filter;
                        continue;
                }
                if (!topic_filter_is(wanted, "+") && !text_equal(wanted, level))
                        return false;
                at += level.n;
                if (at == topic.n)
                        return *filter == '\0' || strcmp(filter, "/#") == 0;
                if (*filter == '\0')
                        return false;
                ++at;
                ++filter;
        }
}

int topic_filter_join(const char *a, const char *b, char **ret_filter) {
        char *join = malloc(strlen(a) + strlen(b) + 3), *at = join;

        if (!join)
                return err_new(-ENOMEM);
        for (;;) {
                Text one = topic_filter_level(&a), other = topic_filter_level(&b);
                bool is_rest = topic_filter_is(one, "#") || topic_filter_is(other, "#");
                Text level = text_equal(one, other) ? one : TEXT("+");

                if (is_rest)
                        level = TEXT("#");
                memcpy(at, level.data, level.n);
                at += level.n;
                if (is_rest || (*a == '\0' && *b == '\0'))
                        break;
                *at++ = '/';
                if (*a == '\0' || *b == '\0') { /* the longer one goes on with "/#" */
                        *at++ = '#';
                        break;
                }
                ++a;
                ++b;
        }
        *at = '\0';
        *ret_filter = join;
        return 0;
}
