#include "ws/entrances.h"

#include "base/err.h"
#include "base/log.h"
#include "ws/net/tls.h"

static int ws_entrances_open_tls(WsEntrances *entrances) {
        const WsOptions *options = entrances->options;
        const char *why = "";
        int r;

        if (!options->tls_cert || !options->tls_key)
                return 0;
        r = ws_tls_new(&entrances->tls, options->tls_cert, options->tls_key, &why);
        if (r > 0)
                log_error("ws_cannot_use_certificate file=\"%s\" key=\"%s\" error=\"%s\"",
                          options->tls_cert,
                          options->tls_key,
                          why);
        return r < 0 ? err_up(r) : r > 0 ? WS_ENTRANCES_E_START : 0;
}

static int ws_entrances_listen(WsEntrances *entrances,
                               struct uv_loop_s *loop,
                               const char *address,
                               WsEntrance entrance) {
        int r;

        if (entrance != WS_ENTRANCE_ALL && (!address || !*address))
                return 0;
        r = ws_listener_open(&entrances->listeners[entrance],
                             loop,
                             entrances->options,
                             address,
                             entrance);
        if (r != 0)
                return r < 0 ? err_up(r) : WS_ENTRANCES_E_START;
        entrances->ports[entrance] = ws_listener_port(entrances->listeners[entrance]);
        return 0;
}

int ws_entrances_open(WsEntrances *entrances,
                      struct uv_loop_s *loop,
                      const WsOptions *options,
                      WsConns *conns) {
        int r;

        entrances->options = options;
        r = ws_entrances_open_tls(entrances);
        if (r == 0)
                r = ws_entrances_listen(entrances, loop, options->listen, WS_ENTRANCE_ALL);
        if (r == 0)
                r = ws_entrances_listen(entrances,
                                        loop,
                                        options->health_listen,
                                        WS_ENTRANCE_HEALTH);
        for (size_t i = 0; r == 0 && i < WS_ENTRANCE_COUNT; ++i)
                if (entrances->listeners[i])
                        ws_listener_start(entrances->listeners[i],
                                          conns,
                                          i == WS_ENTRANCE_ALL ? entrances->tls : NULL);
        return r < 0 ? err_up(r) : r;
}

void ws_entrances_close(WsEntrances *entrances) {
        for (size_t i = 0; i < WS_ENTRANCE_COUNT; ++i)
                if (entrances->listeners[i])
                        ws_listener_close(entrances->listeners[i]);
}

void ws_entrances_done(WsEntrances *entrances) {
        entrances->tls = ws_tls_free(entrances->tls);
}

void ws_entrances_resume(WsEntrances *entrances) {
        for (size_t i = 0; i < WS_ENTRANCE_COUNT; ++i)
                if (entrances->listeners[i])
                        ws_listener_resume(entrances->listeners[i]);
}

void ws_entrances_renew(WsEntrances *entrances) {
        const WsOptions *options = entrances->options;
        const char *why = "out of memory";

        if (entrances->tls &&
            ws_tls_load(entrances->tls, options->tls_cert, options->tls_key, &why) != 0)
                log_error("ws_cannot_use_certificate file=\"%s\" error=\"%s\" kept=old",
                          options->tls_cert,
                          why);
}
