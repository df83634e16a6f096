#include "gateway/sparkplug/topic.h"

static const Text mark = TEXT("spBv1.0/");

static Text take_level(Text *rest) {
        const char *slash = rest->n > 0 ? memchr(rest->data, '/', rest->n) : NULL;
        Text level = { rest->data, slash ? (size_t)(slash - rest->data) : rest->n };
        size_t n = level.n + (slash ? 1 : 0);

        *rest = (Text){ rest->data + n, rest->n - n };
        return level;
}

static bool begins_with_mark(Text text) {
        return text.n > mark.n && memcmp(text.data, mark.data, mark.n) == 0;
}

static SparkplugType type_of(Text level, bool has_device) {
        static const struct {
                Text name;
                SparkplugType type;
                bool of_node, of_device;
        } types[] = {
                { TEXT("NBIRTH"), SPARKPLUG_NBIRTH, true, false },
                { TEXT("NDATA"), SPARKPLUG_NDATA, true, false },
                { TEXT("NDEATH"), SPARKPLUG_NDEATH, true, false },
                { TEXT("DBIRTH"), SPARKPLUG_DBIRTH, false, true },
                { TEXT("DDATA"), SPARKPLUG_DDATA, false, true },
                { TEXT("DDEATH"), SPARKPLUG_DDEATH, false, true },
                { TEXT("ALIVE"), SPARKPLUG_ALIVE, true, true },
        };

        for (size_t i = 0; i < N_ELEMENTS(types); ++i)
                if (text_equal(types[i].name, level) &&
                    (has_device ? types[i].of_device : types[i].of_node))
                        return types[i].type;
        return SPARKPLUG_NONE;
}

bool sparkplug_topic_read(Text topic, SparkplugTopic *ret_topic) {
        SparkplugTopic read = { 0 };
        Text rest = topic, type;

        while (rest.n > 0 && !begins_with_mark(rest))
                (void)take_level(&rest);
        if (rest.n == 0)
                return false;
        read.front = (Text){ topic.data, topic.n - rest.n + mark.n };
        rest = (Text){ rest.data + mark.n, rest.n - mark.n };
        read.group = take_level(&rest);
        type = take_level(&rest);
        read.node = take_level(&rest);
        if (rest.n > 0)
                read.device = take_level(&rest);
        read.type = type_of(type, read.device.data != NULL);
        *ret_topic = read;
        return read.type != SPARKPLUG_NONE && read.group.n > 0 && read.node.n > 0 && rest.n == 0 &&
               (!read.device.data || read.device.n > 0);
}

void sparkplug_topic_key(const SparkplugTopic *topic, bool of_node, Buf *ret_key) {
        buf_append_text(ret_key, topic->group);
        buf_append_char(ret_key, '/');
        buf_append_text(ret_key, topic->node);
        if (of_node || !topic->device.data)
                return;
        buf_append_char(ret_key, '/');
        buf_append_text(ret_key, topic->device);
}

void sparkplug_topic_write(const SparkplugTopic *topic,
                           const char *type,
                           Text device,
                           Buf *ret_topic) {
        buf_append_text(ret_topic, topic->front);
        buf_append_text(ret_topic, topic->group);
        buf_printf(ret_topic, "/%s/", type);
        buf_append_text(ret_topic, topic->node);
        if (!device.data)
                return;
        buf_append_char(ret_topic, '/');
        buf_append_text(ret_topic, device);
}
