#include "mqtt/broker.h"

#include <MQTTReasonCodes.h>
#include <stdio.h>

#define MQTT_BROKER_PLAIN  "mqtt://"
#define MQTT_BROKER_SECURE "mqtts://"
#define MQTT_BROKER_TLS_FIELDS                                            \
        5 /* thread:error:number:library:function: come before the reason \
           */

bool mqtt_broker_uri(const char *url, char *ret_uri, size_t n_uri, bool *ret_is_tls) {
        const char *host, *bracket, *colon, *port;
        bool is_tls;
        int n;

        if (!url)
                return false;
        is_tls = strncmp(url, MQTT_BROKER_SECURE, strlen(MQTT_BROKER_SECURE)) == 0;
        if (!is_tls && strncmp(url, MQTT_BROKER_PLAIN, strlen(MQTT_BROKER_PLAIN)) != 0)
                return false;
        host = url + strlen(is_tls ? MQTT_BROKER_SECURE : MQTT_BROKER_PLAIN);
        if (*host == '\0' || *host == ':' || strpbrk(host, "/@ "))
                return false;

        bracket = strrchr(host, ']'); /* [::1]:1883 */
        colon = strrchr(bracket ? bracket : host, ':');
        port = colon ? "" : is_tls ? ":8883" : ":1883";
        n = snprintf(ret_uri, n_uri, "%s://%s%s", is_tls ? "ssl" : "tcp", host, port);
        *ret_is_tls = is_tls;
        return n > 0 && (size_t)n < n_uri;
}

const char *mqtt_broker_refusal(int code) {
        static const char *const texts[] = {
                "the broker does not speak this version of MQTT",
                "the broker does not accept the client id",
                "the broker is not available",
                "bad user name or password",
                "not authorized",
        };
        const char *text;

        if (code >= 1 && code <= (int)N_ELEMENTS(texts))
                return texts[code - 1];
        text = MQTTReasonCode_toString((enum MQTTReasonCodes)code);
        return text ? text : "refused by the broker";
}

void mqtt_broker_tls_error(const char *text, char *ret_reason, size_t n_reason) {
        const char *field = text ? text : "unknown";

        for (int i = 0; field && i < MQTT_BROKER_TLS_FIELDS; ++i) {
                field = strchr(field, ':');
                field = field ? field + 1 : NULL;
        }
        if (!field)
                field = text ? text : "unknown";
        snprintf(ret_reason, n_reason, "TLS: %.*s", (int)strcspn(field, ":\"\n"), field);
}

bool mqtt_broker_was_closed(const char *message) {
        return message && (strcmp(message, "TCP connect completion failure") == 0 ||
                           strcmp(message, "socket error") == 0);
}

int mqtt_broker_port(const char *uri) {
        const char *colon = strrchr(uri, ':');

        return colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}
