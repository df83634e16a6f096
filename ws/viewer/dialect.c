#include "ws/viewer/dialect.h"

#include "ws/viewer/client.h"

const WsDialect *const ws_dialect_all[] = {
        &ws_dialect_people_counter, &ws_dialect_energy,  &ws_dialect_device_hub,
        &ws_dialect_vehicles,       &ws_dialect_cameras, &ws_dialect_native,
        &ws_dialect_events,         &ws_dialect_poll,
};
const size_t ws_dialect_n_all = N_ELEMENTS(ws_dialect_all);

const WsDialect *ws_dialect_find(Text path, Text *ret_target) {
        for (size_t i = 0; i < ws_dialect_n_all; ++i) {
                Text target = { 0 };

                if (!ws_dialect_all[i]->match(path, &target))
                        continue;
                *ret_target = target;
                return ws_dialect_all[i];
        }
        return NULL;
}

bool ws_dialect_match_level(Text path, Text prefix, Text *ret_target) {
        Text rest;

        if (path.n <= prefix.n || memcmp(path.data, prefix.data, prefix.n) != 0)
                return false;

        rest = (Text){ .data = path.data + prefix.n, .n = path.n - prefix.n };
        if (memchr(rest.data, '/', rest.n))
                return false;

        *ret_target = rest;
        return true;
}

int ws_dialect_admit_any(WsClient *client, const WsIdentity *identity, Text target) {
        (void)target;
        client->user_id = identity->user ? identity->user->id : 0;
        client->generation = identity->user ? identity->user->generation : 0;
        client->sees_all = !identity->user || identity->user->role == ROLE_ADMIN;
        client->expires_us = identity->expires_us;
        return 0;
}

bool ws_dialect_sees_vehicle(const WsClient *client,
                             const WsIdentity *identity,
                             const Vehicle *vehicle) {
        return vehicle && (client->sees_all || user_sees_vehicle(identity->user, vehicle));
}

int ws_dialect_unseen(const WsClient *client) {
        return client->sees_all ? 404 : 403;
}
