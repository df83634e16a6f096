#include "model/topic.h"

#include "base/err.h"
#include "base/name.h"

#define TOPIC_MAX 65535 /* bytes, MQTT 5 section 1.5.4 */

#define TOPIC_MAX_NAME 40

typedef enum TopicName {
        TOPIC_LITERAL,
        TOPIC_USER,
        TOPIC_VEHICLE,
        TOPIC_DEVICE,
        TOPIC_WHO_COUNT, /* those before it are of who */
        TOPIC_OTHER = TOPIC_WHO_COUNT,
        TOPIC_ANY,  /* + */
        TOPIC_TAIL, /* # */
} TopicName;

typedef struct TopicLevel TopicLevel;

struct TopicLevel {
        TopicName name;
        uint8_t other; /* of TOPIC_OTHER: its place among them */
        bool is_rest;  /* takes all that is left */
        Text text;     /* of TOPIC_LITERAL itself, else the name; inside of the template's text */
};

struct TopicTemplate { /* one block of memory, the three texts included */
        char *text;
        char *pattern; /* never longer than the text: a name has more than one character */
        char *filter;
        bool has_rest;
        bool has[TOPIC_WHO_COUNT];
        bool is_open; /* begins with what a topic that begins with $ is not for */
        size_t n_others;
        Text others[TOPIC_MAX_OTHERS];
        size_t n_levels;
        TopicLevel levels[];
};

static const struct {
        Text text;
        TopicName name;
} topic_names[] = {
        { { "user", 4 }, TOPIC_USER },
        { { "vehicle", 7 }, TOPIC_VEHICLE },
        { { "device", 6 }, TOPIC_DEVICE },
        { { "camera", 6 }, TOPIC_DEVICE },
};

static TopicName topic_name_of(Text text) {
        for (size_t i = 0; i < N_ELEMENTS(topic_names); ++i)
                if (text_equal(topic_names[i].text, text))
                        return topic_names[i].name;
        return TOPIC_OTHER;
}

static bool topic_is_lower(char c) {
        return c >= 'a' && c <= 'z';
}

static bool topic_is_name(Text text) {
        if (text.n == 0 || text.n > TOPIC_MAX_NAME || !topic_is_lower(text.data[0]))
                return false;
        for (size_t i = 1; i < text.n; ++i)
                if (!topic_is_lower(text.data[i]) && text.data[i] != '_' &&
                    (text.data[i] < '0' || text.data[i] > '9'))
                        return false;
        return true;
}

/* Takes the first level off the front of @rest; data is NULL when there is none left. */
static Text topic_take_level(Text *rest) {
        const char *slash = rest->data ? memchr(rest->data, '/', rest->n) : NULL;
        Text level = { .data = rest->data, .n = slash ? (size_t)(slash - rest->data) : rest->n };

        if (slash)
                *rest = (Text){ .data = slash + 1, .n = rest->n - level.n - 1 };
        else
                *rest = (Text){ 0 };
        return level;
}

static int topic_add_name(TopicTemplate *template, TopicLevel *level) {
        if (!topic_is_name(level->text))
                return TOPIC_E_INVALID;
        level->name = topic_name_of(level->text);
        if (level->name != TOPIC_OTHER) {
                if (template->has[level->name])
                        return TOPIC_E_INVALID;
                template->has[level->name] = true;
                return 0;
        }
        if (template->n_others == TOPIC_MAX_OTHERS ||
            topic_template_other(template, level->text) >= 0)
                return TOPIC_E_INVALID;
        level->other = (uint8_t) template->n_others;
        template->others[template->n_others++] = level->text;
        return 0;
}

/* @is_last: nothing follows. */
static int topic_level_parse(TopicTemplate *template, Text text, bool is_last) {
        static const Text dots = TEXT("...");
        TopicLevel *level = &template->levels[template->n_levels++];
        bool is_name = text.n > 2 && text.data[0] == '{' && text.data[text.n - 1] == '}';

        *level = (TopicLevel){ .text = text };
        if (text_equal(text, TEXT("+")))
                level->name = TOPIC_ANY;
        if (text_equal(text, TEXT("#"))) {
                level->name = TOPIC_TAIL;
                level->is_rest = true;
                return is_last && !template->has_rest ? 0 : TOPIC_E_INVALID;
        }
        if (is_name) {
                level->text = (Text){ .data = text.data + 1, .n = text.n - 2 };
                level->is_rest =
                        level->text.n > dots.n &&
                        memcmp(level->text.data + level->text.n - dots.n, dots.data, dots.n) == 0;
                if (level->is_rest)
                        level->text.n -= dots.n;
                if (level->is_rest && template->has_rest)
                        return TOPIC_E_INVALID;
                template->has_rest |= level->is_rest;
                return topic_add_name(template, level);
        }
        for (size_t i = 0; level->name == TOPIC_LITERAL && i < text.n; ++i)
                if (strchr("+#{}", text.data[i]))
                        return TOPIC_E_INVALID;
        return 0;
}

/* And off its end. */
static Text topic_take_last(Text *rest) {
        size_t at = rest->n;
        Text level;

        while (at > 0 && rest->data[at - 1] != '/')
                --at;
        level = (Text){ .data = rest->data + at, .n = rest->n - at };
        *rest = at > 0 ? (Text){ rest->data, at - 1 } : (Text){ 0 };
        return level;
}

/* The last @n levels, and what is before them. False: that is nothing. */
static bool topic_split(Text text, size_t n, Text *ret_front, Text *ret_levels) {
        Text front = text;

        for (size_t i = 0; front.data && i < n; ++i)
                (void)topic_take_last(&front);
        if (!front.data || front.n == 0)
                return false;
        *ret_levels = (Text){ text.data + front.n + 1, text.n - front.n - 1 };
        *ret_front = front;
        return true;
}

/* Of a length and of characters that brokers take. */
static bool topic_is_plain(Text text) {
        return text.n > 0 && text.n <= TOPIC_MAX && name_is_printable(text);
}

static int topic_template_parse(TopicTemplate *template) {
        Text rest = text_of(template->text);
        char *pattern = template->pattern;
        const TopicLevel *last;
        size_t n_filter;
        int r;

        while (rest.data) {
                Text level = topic_take_level(&rest);

                r = topic_level_parse(template, level, !rest.data);
                if (r != 0)
                        return r;
                last = &template->levels[template->n_levels - 1];
                if (last->name != TOPIC_LITERAL)
                        level = last->is_rest ? TEXT("#") : TEXT("+");
                memcpy(pattern, level.data, level.n);
                pattern += level.n;
                if (rest.data)
                        *pattern++ = '/';
        }
        *pattern = '\0';
        n_filter = strcspn(template->pattern, "#"); /* in no level of text */
        memcpy(template->filter, template->pattern, n_filter + 1);
        template->is_open = template->levels[0].name != TOPIC_LITERAL;
        return 0;
}

int topic_template_new(TopicTemplate **ret_template, const char *text) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        size_t n = strlen(text);
        size_t n_levels = 1, n_fixed;
        int r;

        if (!topic_is_plain((Text){ text, n }))
                return TOPIC_E_INVALID;
        for (size_t i = 0; i < n; ++i)
                n_levels += text[i] == '/';
        if (n_levels > TOPIC_MAX_LEVELS)
                return TOPIC_E_INVALID;

        n_fixed = sizeof(*template) + n_levels * sizeof(template->levels[0]);
        template = calloc(1, n_fixed + 3 * (n + 1));
        if (!template)
                return err_new(-ENOMEM);
        template->text = memcpy((char *)template + n_fixed, text, n + 1);
        template->pattern = template->text + n + 1;
        template->filter = template->pattern + n + 1;

        r = topic_template_parse(template);
        if (r != 0)
                return r;

        *ret_template = TAKE(&template);
        return 0;
}

TopicTemplate *topic_template_free(TopicTemplate *template) {
        free(template);
        return NULL;
}

const char *topic_template_text(const TopicTemplate *template) {
        return template->text;
}

const char *topic_template_filter(const TopicTemplate *template) {
        return template->filter;
}

const char *topic_template_pattern(const TopicTemplate *template) {
        return template->pattern;
}

bool topic_template_has(const TopicTemplate *template, const char *name) {
        TopicName topic_name = topic_name_of(text_of(name));

        return topic_name < TOPIC_WHO_COUNT && template->has[topic_name];
}

bool topic_template_is_plain(const TopicTemplate *template) {
        for (size_t i = 0; i < template->n_levels; ++i)
                if (template->levels[i].name >= TOPIC_WHO_COUNT || template->levels[i].is_rest)
                        return false;
        return true;
}

int topic_template_other(const TopicTemplate *template, Text name) {
        for (size_t i = 0; i < template->n_others; ++i)
                if (text_equal(template->others[i], name))
                        return (int)i;
        return -1;
}

static Text *topic_match_field(TopicMatch *match, const TopicLevel *level) {
        switch (level->name) {
        case TOPIC_USER:
                return &match->user;
        case TOPIC_VEHICLE:
                return &match->vehicle;
        case TOPIC_DEVICE:
                return &match->device;
        default:
                return &match->others[level->other];
        }
}

/* Of what is left of a topic: what this level takes, and leaves for those @n_behind it. */
static bool topic_level_match(const TopicLevel *level,
                              size_t n_behind,
                              Text *rest,
                              TopicMatch *match) {
        Text text = *rest;

        if (!level->is_rest)
                text = topic_take_level(rest);
        else if (n_behind == 0)
                *rest = (Text){ 0 };
        else if (!topic_split(*rest, n_behind, &text, rest))
                return false;
        switch (level->name) {
        case TOPIC_LITERAL:
                return text_equal(level->text, text);
        case TOPIC_ANY:
        case TOPIC_TAIL:
                return true;
        default:
                *topic_match_field(match, level) = text;
                return text.n > 0;
        }
}

bool topic_template_match(const TopicTemplate *template, Text topic, TopicMatch *ret_match) {
        TopicMatch match = { 0 };
        Text rest = topic;

        if (topic.n == 0 || (template->is_open && topic.data[0] == '$'))
                return false;
        for (size_t i = 0; i < template->n_levels; ++i) {
                const TopicLevel *level = &template->levels[i];

                if (!rest.data && (level->name != TOPIC_TAIL || i == 0))
                        return false;
                if (!topic_level_match(level, template->n_levels - 1 - i, &rest, &match))
                        return false;
        }
        if (rest.data)
                return false;

        *ret_match = match;
        return true;
}

/* May stand for one level of a topic name. */
static bool topic_is_level(Text text) {
        if (!text.data || !topic_is_plain(text))
                return false;
        for (size_t i = 0; i < text.n; ++i)
                if (strchr("/+#", text.data[i]))
                        return false;
        return true;
}

int topic_template_expand(const TopicTemplate *template,
                          const TopicMatch *values,
                          char **ret_topic) {
        TopicMatch fields = *values;
        size_t n = template->n_levels; /* slashes and NUL */
        char *topic, *at;

        if (!topic_template_is_plain(template))
                return TOPIC_E_INVALID;
        for (size_t i = 0; i < template->n_levels; ++i) {
                const TopicLevel *level = &template->levels[i];
                const Text *value = &level->text;

                if (level->name != TOPIC_LITERAL) {
                        value = topic_match_field(&fields, level);
                        if (!topic_is_level(*value))
                                return TOPIC_E_INVALID;
                }
                n += value->n;
        }
        if (n - 1 > TOPIC_MAX)
                return TOPIC_E_INVALID;

        topic = malloc(n);
        if (!topic)
                return err_new(-ENOMEM);
        at = topic;
        for (size_t i = 0; i < template->n_levels; ++i) {
                const TopicLevel *level = &template->levels[i];
                Text value = level->text;

                if (level->name != TOPIC_LITERAL)
                        value = *topic_match_field(&fields, level);
                memcpy(at, value.data, value.n);
                at += value.n;
                *at++ = i + 1 < template->n_levels ? '/' : '\0';
        }

        *ret_topic = topic;
        return 0;
}

/* ---- filters ---- */

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

static size_t topic_count_levels(Text text) {
        size_t n = text.data != NULL;

        for (size_t i = 0; i < text.n; ++i)
                n += text.data[i] == '/';
        return n;
}

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
