#include "model/topic.h"

#include "base/err.h"
#include "model/topic_level.h"

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
