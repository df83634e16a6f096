#pragma once

/*
 * SparkplugTopic: spBv1.0/GROUP/TYPE/NODE[/DEVICE], wherever in a topic it begins: bridges of
 * brokers put levels in front. Pure.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct SparkplugTopic SparkplugTopic;

typedef enum SparkplugType {
        SPARKPLUG_NONE, /* also STATE, NCMD, DCMD: nothing that a node says of itself */
        SPARKPLUG_NBIRTH,
        SPARKPLUG_NDATA,
        SPARKPLUG_NDEATH,
        SPARKPLUG_DBIRTH,
        SPARKPLUG_DDATA,
        SPARKPLUG_DDEATH,
        SPARKPLUG_ALIVE, /* of our own making: a birth has been */
        SPARKPLUG_TYPES
} SparkplugType;

struct SparkplugTopic { /* borrowed from the topic */
        SparkplugType type;
        Text front; /* up to and with the slash behind spBv1.0 */
        Text group, node;
        Text device; /* absent where it is about the node */
};

/* False: it is none. */
bool sparkplug_topic_read(Text topic, SparkplugTopic *ret_topic);
/* GROUP/NODE[/DEVICE]: no level has a slash. */
void sparkplug_topic_key(const SparkplugTopic *topic, bool of_node, Buf *ret_key);
/* The same topic of another type, and of @device (absent: of the node). */
void sparkplug_topic_write(const SparkplugTopic *topic,
                           const char *type,
                           Text device,
                           Buf *ret_topic);
