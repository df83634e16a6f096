#pragma once

/*
 * MqttBroker: how a broker is addressed, and what its refusals mean, in words. Pure.
 */

#include "base/base.h"

/* mqtt://host[:port] or mqtts://host[:port] as Paho wants it (tcp://host:port, ssl://host:port). */
bool mqtt_broker_uri(const char *url, char *ret_uri, size_t n_uri, bool *ret_is_tls);

/* The code of a CONNACK, of 3.1.1 or 5. */
const char *mqtt_broker_refusal(int code);

/* The part for people of what OpenSSL says; one line, no quotes. */
void mqtt_broker_tls_error(const char *text, char *ret_reason, size_t n_reason);
/* By Paho's own words, as it has no codes for it: the connection was there, and went. */
bool mqtt_broker_was_closed(const char *message);
int mqtt_broker_port(const char *uri); /* 0: it says none */
