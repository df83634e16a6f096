#pragma once

/* MqttOptions: the broker, and who we are there. */

#include "base/base.h"

typedef struct MqttOptions MqttOptions;

struct MqttOptions {
        const char
                *url; /* mqtt://host[:port] or mqtts://; several, with commas, are tried in turn */
        const char *client_id;
        int version;                                /* 4 = 3.1.1, 5, 0 = 5 or else 3.1.1 */
        const char *username;                       /* NULL = none */
        const char *password_file;                  /* NULL = none; read at each connect */
        const char *ca_file, *cert_file, *key_file; /* NULL = system trust, no client certificate */
        bool verify;                                /* server certificate and its name */
        int keep_alive_s;
        int session_expiry_s; /* MQTT 5 */
        int receive_maximum;  /* MQTT 5; unacknowledged messages at a time */
        int connect_timeout_ms;
        int backoff_min_ms, backoff_max_ms;
        int canary_ms; /* between the messages that keep Paho awake; 0 = none */

        /* Where to note what the session may have, so that a restart unsubscribes what is not
         * wanted any more; NULL = nowhere. */
        const char *state_file;
};
