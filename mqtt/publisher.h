#pragma once

/*
 * MqttPublisher: publishes, for `tidegate simulate`, for dead letters and for commands.
 *
 * One session of its own, QoS 0 or 1, with a bounded window of unacknowledged messages:
 * mqtt_publisher_publish() waits while it is full, but not for a broker that acknowledges nothing.
 * Belongs to one thread.
 */

#include "base/base.h"
#include "mqtt/sending.h"
#include "mqtt/source.h"

typedef struct MqttPublisher MqttPublisher;

enum {
        MQTT_PUBLISHER_E_OFFLINE = 1, /* no broker within the connect time-out, or it went away */
        MQTT_PUBLISHER_E_REFUSED,     /* the broker refused us */
};

MUST_CHECK int mqtt_publisher_new(MqttPublisher **ret_publisher,
                                  const MqttOptions *options,
                                  int window);
MqttPublisher *mqtt_publisher_free(MqttPublisher *publisher);

MUST_CHECK int mqtt_publisher_connect(MqttPublisher *publisher);
MUST_CHECK int mqtt_publisher_publish(MqttPublisher *publisher,
                                      const char *topic,
                                      Text payload,
                                      int qos,
                                      bool retain);
MUST_CHECK int mqtt_publisher_flush(MqttPublisher *publisher,
                                    int timeout_ms); /* until all is acknowledged; REFUSED: not all
                                                        of it was taken */

/*
 * Publishes several, at most as many as the window, and waits for the broker's word on each, at
 * most
 * @timeout_ms. @ret_outcomes: what is PENDING still may have got there. 0, or
 * MQTT_PUBLISHER_E_OFFLINE when some are pending: connect anew then.
 */
MUST_CHECK int mqtt_publisher_publish_all(MqttPublisher *publisher,
                                          const MqttMessage messages[],
                                          size_t n,
                                          int timeout_ms,
                                          MqttOutcome ret_outcomes[]);
void mqtt_publisher_disconnect(MqttPublisher *publisher);    /* what is under way is forgotten */
int mqtt_publisher_n_unsure(const MqttPublisher *publisher); /* not (yet) acknowledged, of all */
bool mqtt_publisher_is_online(const MqttPublisher *publisher);
const char *mqtt_publisher_error(const MqttPublisher *publisher); /* of the last connect */

DEFINE_CLEANUP(MqttPublisher *, mqtt_publisher_free);
