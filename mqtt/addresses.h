#pragma once

/*
 * MqttAddresses: the addresses of a broker's name, of which Paho knows one.
 *
 * It takes the first of IPv4, and an IPv6 one only where there is no other. Where that does not
 * answer, the others are tried, each as a URI of its own. Nothing is looked up before: a name is
 * Paho's matter, also one that has no address.
 */

#include <stdatomic.h>

#include "base/base.h"
#include "mqtt/candidates.h"

/* Adds to what is tried for the URL that has just failed. Blocks while the name is looked up, at
 * most @timeout_ms, and not when it is interrupted; nothing where there is no name, or it has one
 * address only. */
void mqtt_addresses_widen(MqttCandidates *candidates,
                          int timeout_ms,
                          const _Atomic bool *is_interrupted);

/* "tcp://host:port" with an address in place of the name; "[...]" around one of IPv6. False: there
 * is none, but an address, or it does not fit. */
bool mqtt_addresses_split(const char *uri, char *ret_host, size_t n_host, const char **ret_port);
