#include "ws/http/rights.h"

#include "base/clock.h"
#include "model/registry.h"

WsAsker ws_rights_of(const WsIdentity *identity) {
        const User *user = identity->user;

        if (!user)
                return (WsAsker){ 0 };
        return (WsAsker){ .user_id = user->id,
                          .generation = user->generation,
                          .expires_us = identity->expires_us,
                          .n_losses = user->n_losses };
}

const User *ws_rights_user(const Registry *registry, const WsWaiter *waiter) {
        const User *user = registry_user(registry, waiter->user_id);

        return user && user->is_active && user->generation == waiter->generation ? user : NULL;
}

const Device *ws_rights_device(const Registry *registry, const WsWaiter *waiter) {
        const Device *device = registry_device(registry, waiter->sender_id);

        if (!device || !device->is_active || !device->has_token ||
            device->token_generation != waiter->token_generation)
                return NULL;
        return device;
}

/* Whoever asks for a change has had it when he is told so; who reads needs the right to the end. */
static bool ws_rights_have_expired(const WsWaiter *waiter) {
        return waiter->user_id != 0 && strcmp(waiter->endpoint->method, "GET") == 0 &&
               clock_now_us() >= waiter->expires_us;
}

/* What names a thing is about that alone; all else is about whatever he saw then. */
bool ws_rights_are_kept(const Registry *registry, const WsWaiter *waiter) {
        const User *user = ws_rights_user(registry, waiter);
        const Vehicle *vehicle = registry_vehicle(registry, waiter->vehicle_id);
        const Device *device = registry_device(registry, waiter->device_id);

        if (waiter->user_id == 0 || strcmp(waiter->endpoint->method, "GET") != 0)
                return true;
        if (!user || ws_rights_have_expired(waiter))
                return false;
        if (waiter->vehicle_id == 0 && waiter->device_id == 0)
                return user->n_losses == waiter->n_losses;
        if (waiter->vehicle_id != 0 && (!vehicle || !user_sees_vehicle(user, vehicle)))
                return false;
        return waiter->device_id == 0 || (device && user_sees_device(user, device));
}

/* An answer that is made, and that its reader takes his time for. */
static bool ws_rights_may_read_on(const Registry *registry, const WsAsker *asker) {
        const User *user = registry_user(registry, asker->user_id);

        if (asker->user_id == 0)
                return true;
        return user && user->is_active && user->generation == asker->generation &&
               user->n_losses == asker->n_losses && clock_now_us() < asker->expires_us;
}

bool ws_rights_withhold(const Registry *registry, const WsWaiter *waiter, WsResponse *response) {
        if (waiter->user_id != 0 && !ws_rights_user(registry, waiter)) {
                ws_response_problem(response, 401, "unauthorized", "The credential has ended.");
                return true;
        }
        if (ws_rights_have_expired(waiter)) {
                ws_response_problem(response, 401, "token_expired", "The credential has expired.");
                return true;
        }
        if (ws_rights_are_kept(registry, waiter))
                return false;
        if (waiter->vehicle_id != 0 || waiter->device_id != 0) {
                ws_response_problem(response, 404, "not_found", "There is no such thing.");
        } else {
                ws_response_retry_after(response, 1);
                ws_response_problem(response,
                                    503,
                                    "rights_changed",
                                    "What you may see has changed meanwhile: ask again.");
        }
        return true;
}

bool ws_rights_are_forfeit(const Registry *registry, const WsWaiter *waiter) {
        switch (waiter->session->state) {
        case WS_EXCHANGE_STREAM:
                return !ws_rights_are_kept(registry, waiter);
        case WS_EXCHANGE_FLUSH:
                return !ws_rights_may_read_on(registry, &waiter->session->asker);
        default:
                return false;
        }
}
