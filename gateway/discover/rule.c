#include "gateway/discover/rule.h"

#include "base/name.h"
#include "model/topic_filter.h"

#define RULE_OURS "tidegate/"

static void rule_free_filters(char **filters, size_t n) {
        for (size_t i = 0; i < n; ++i)
                free(filters[i]);
        free(filters);
}

void discover_rule_done(DiscoverRule *rule) {
        free(rule->name);
        topic_template_free(rule->topic);
        rule_free_filters(rule->allow, rule->n_allow);
        rule_free_filters(rule->ignore, rule->n_ignore);
        zone_free(rule->zone);
}

/* Without its first @n levels. */
static Text rule_behind(Text topic, size_t n) {
        for (; n > 0; --n) {
                const char *slash = memchr(topic.data, '/', topic.n);

                if (!slash)
                        return (Text){ 0 };
                topic.n -= (size_t)(slash + 1 - topic.data);
                topic.data = slash + 1;
        }
        return topic;
}

static size_t rule_n_levels(const char *text) {
        size_t n = 0;

        for (; *text; ++text)
                n += *text == '/';
        return n;
}

bool discover_rule_takes(const DiscoverRule *rule, Text topic, Text *ret_rest, Text *ret_user) {
        TopicMatch match = { 0 };

        if (!topic_template_match(rule->topic, topic, &match))
                return false;
        *ret_user = match.user;
        *ret_rest = rule_behind(topic, rule_n_levels(topic_template_filter(rule->topic)));
        return ret_rest->n > 0;
}

static bool rule_has(char *const filters[], size_t n, Text topic) {
        for (size_t i = 0; i < n; ++i)
                if (topic_filter_takes(filters[i], topic))
                        return true;
        return false;
}

/* A level that says `+`, and no more, with another behind it. */
static bool rule_is_plus(Text topic, size_t at) {
        return topic.data[at] == '+' && (at == 0 || topic.data[at - 1] == '/') &&
               at + 1 < topic.n && topic.data[at + 1] == '/';
}

/* What any gateway of a kind may bring (`+/+/BTtoMQTT/A4C138000001`) is pointed to where it is said
 * that it may be: by nobody else's word. */
static bool rule_allows_pluses(const DiscoverRule *rule, Text topic) {
        char filter[DISCOVER_MAX_TOPIC + 1];

        memcpy(filter, topic.data, topic.n);
        filter[topic.n] = '\0';
        for (size_t i = 0; i < rule->n_ignore; ++i)
                if (topic_filter_meets(rule->ignore[i], filter))
                        return false;
        for (size_t i = 0; i < rule->n_allow; ++i)
                if (topic_filter_covers(rule->allow[i], filter))
                        return true;
        return false;
}

static bool rule_is_topic(const DiscoverRule *rule, Text topic) {
        size_t n_levels = 1, n_pluses = 0;

        if (topic.n == 0 || topic.n > DISCOVER_MAX_TOPIC || !name_is_printable(topic))
                return false;
        for (size_t i = 0; i < topic.n; ++i) {
                n_levels += topic.data[i] == '/';
                if (rule_is_plus(topic, i))
                        ++n_pluses;
                else if (strchr("+#{}", topic.data[i]))
                        return false;
        }
        return *topic.data != '$' && n_levels <= TOPIC_MAX_LEVELS &&
               (n_pluses == 0 || rule_allows_pluses(rule, topic));
}

/* Up to the level that names the user, with the slash behind it; 0: none does. */
static size_t rule_user_end(const DiscoverRule *rule, Text config) {
        const char *text = topic_template_text(rule->topic);
        const char *user = strstr(text, "{user}");
        size_t n = 0;

        if (!user)
                return 0;
        for (const char *at = text; at < user; ++at)
                n += *at == '/';
        return config.n - rule_behind(config, n + 1).n;
}

const char *discover_rule_forbids(const DiscoverRule *rule, Text config, Text topic) {
        size_t n_user = rule_user_end(rule, config);

        if (!rule_is_topic(rule, topic))
                return "not a topic, or one that nobody may point to";
        if (topic.n >= strlen(RULE_OURS) && memcmp(topic.data, RULE_OURS, strlen(RULE_OURS)) == 0)
                return "a topic of the gateway";
        if (n_user > 0 && (topic.n < n_user || memcmp(topic.data, config.data, n_user) != 0))
                return "a topic that is not below that of its user";
        if (memchr(topic.data, '+', topic.n))
                return NULL; /* it was looked at */
        if (rule->n_allow > 0 && !rule_has(rule->allow, rule->n_allow, topic))
                return "a topic that is not allowed";
        if (rule_has(rule->ignore, rule->n_ignore, topic))
                return "a topic that is ignored";
        return NULL;
}
