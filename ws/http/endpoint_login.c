#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/secret.h"
#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"
#include "ws/access/proven.h"
#include "ws/access/shared_ticket.h"
#include "ws/access/stream_ticket.h"
#include "ws/access/throttle.h"
#include "ws/http/endpoint.h"
#include "ws/http/login_queue.h"

#define WS_LOGIN_FAILURES 10 /* a minute and address, where the options say nothing */
#define WS_LOGIN_TTL_S    3600
#define WS_LOGIN_LATE_S   5

/* The two names under which tries are counted; they cannot be the same text. */
static void ws_login_names(const WsCall *call, char ret_source[64], char ret_account[160]) {
        char party[WS_PARTY_TEXT_SIZE];

        ws_party_text(ws_party_address(call->source), party);
        snprintf(ret_source, 64, "source:%s", party);
        snprintf(ret_account, 160, "account:%s", call->account);
}

static int ws_login_limit(const WsCall *call) {
        int limit = call->options->login_failures_per_min;

        return ws_limiter_part(limit > 0 ? limit : WS_LOGIN_FAILURES);
}

/* From an address that has failed before: others go first (an account that somebody else tries to
 * guess is no worse for it). */
static bool ws_login_is_suspect(const WsCall *call) {
        char source[64], account[160];

        ws_login_names(call, source, account);
        return ws_limiter_is_known(call->limiter, text_of(source), call->now_us);
}

static bool ws_login_is_proven(const WsCall *call) {
        return ws_proven_has(call->proven,
                             text_of(call->account),
                             ws_party_address(call->source),
                             call->now_us);
}

/* Seconds to wait; 0: go ahead. An account has twice the tries of an address, so that one noisy
 * address cannot lock the owner of an account out; nor can many, where he has been before. */
static int ws_login_take(const WsCall *call) {
        int limit = ws_login_limit(call);
        char source[64], account[160];
        int wait_s;

        ws_login_names(call, source, account);
        wait_s = ws_limiter_take(call->limiter, text_of(source), limit, call->now_us);
        if (wait_s > 0 || ws_login_is_proven(call))
                return wait_s;
        wait_s = ws_limiter_take(call->limiter, text_of(account), 2 * limit, call->now_us);
        if (wait_s > 0)
                ws_limiter_give_back(call->limiter, text_of(source));
        return wait_s;
}

static void ws_login_give_back(const WsCall *call) {
        char source[64], account[160];

        ws_login_names(call, source, account);
        ws_limiter_give_back(call->limiter, text_of(source));
        if (!ws_login_is_proven(call))
                ws_limiter_give_back(call->limiter, text_of(account));
}

/* In a crowd of newcomers: is there such an account, and has somebody guessed at it? A try whose
 * answer comes too late may have been looked at all the same, so it counts. */
static void ws_login_rank_crowd(WsCall *call, Query *query) {
        Text name = text_of(call->account);
        const User *user = registry_user_by_name(call->access->registry, name);

        call->is_spent = true;
        if (!user)
                return;
        query->account = ws_party_user(user->id);
        query->is_guessed = ws_proven_is_guessed(call->proven, name, call->now_us);
}

static void ws_login_note_guess(const WsCall *call) {
        Text name = text_of(call->account);

        if (registry_user_by_name(call->access->registry, name) && !ws_login_is_proven(call))
                ws_proven_add_guess(call->proven, name, call->now_us);
}

/* Who comes back goes first, and who does nothing else goes last. Of those who were never here,
 * whoever comes from where others have been good is as welcome as they. */
static void ws_login_rank(WsCall *call, Query *query, bool is_suspect) {
        uint64_t place = ws_party_address(call->source);
        bool is_back = ws_login_is_proven(call);
        bool is_known =
                is_back || (!is_suspect && ws_proven_has_place(call->proven, place, call->now_us));

        query->is_proven = is_known && ws_throttle_take(call->returns,
                                                        call->source,
                                                        call->options->logins_per_s,
                                                        call->now_us / 1000);
        query->is_suspect = is_back || is_suspect;
        query->is_early = !query->is_proven && !query->is_suspect &&
                          ws_proven_take_early(call->proven, place, call->now_us);
        if (is_back && !query->is_proven)
                metric_add(METRIC_LOGIN_BEHIND, 1);
        if (!query->is_proven && !query->is_suspect && !query->is_early)
                ws_login_rank_crowd(call, query);
}

static int ws_login_ask(WsCall *call, const char *password, bool is_suspect) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = query_new(&query, QUERY_LOGIN);
        if (r < 0)
                return err_up(r);
        ws_login_rank(call, query, is_suspect);
        query->username = strdup(call->account);
        query->password = strdup(password);
        if (!query->username || !query->password)
                return err_new(-ENOMEM);

        call->query = TAKE(&query);
        return 0;
}

static void ws_login_put_off(const WsCall *call, int wait_s) {
        metric_add(METRIC_LOGIN_LIMITED, 1);
        ws_response_retry_after(call->response, wait_s);
        ws_response_problem(call->response, 429, "rate_limited", "Too many failed attempts.");
}

/* What is no text is nobody's name, and a try like any other. */
static int ws_login_refuse_bytes(WsCall *call) {
        int wait_s;

        call->account[0] = '\0';
        wait_s = ws_login_take(call);
        metric_add(METRIC_LOGIN_FAILED, 1);
        if (wait_s > 0)
                ws_login_put_off(call, wait_s);
        else
                ws_response_problem(call->response,
                                    400,
                                    "bad_request",
                                    "The form is not UTF-8, or has a bad escape.");
        return 0;
}

int ws_endpoint_login(WsCall *call, const char *password) {
        bool is_suspect = ws_login_is_suspect(call);
        int wait_s = ws_login_take(call);

        call->is_held = wait_s > 0 && call->options->login_wait_ms > 0 &&
                        ws_login_queue_is_moving(call->waiters, call->source);
        if (wait_s > 0 && !call->is_held) {
                ws_login_put_off(call, wait_s);
                return 0;
        }
        if (call->is_held)
                metric_add(METRIC_LOGIN_HELD, 1);
        return err_up(ws_login_ask(call, password, is_suspect));
}

bool ws_endpoint_login_turn(WsCall *call) {
        int wait_s = ws_login_take(call);

        if (wait_s > 0 && !ws_login_queue_is_moving(call->waiters, call->source))
                ws_login_put_off(call, wait_s);
        return wait_s == 0;
}

void ws_endpoint_login_late(WsCall *call) {
        ws_login_put_off(call, WS_LOGIN_LATE_S);
}

int ws_endpoint_token(WsCall *call) {
        char password[WS_LOGIN_PASSWORD];
        int r;

        if (!ws_request_form_is_text(call->body, call->has_parts))
                return ws_login_refuse_bytes(call);
        if (!ws_request_form_param(call->body,
                                   call->has_parts,
                                   "username",
                                   call->account,
                                   sizeof(call->account)) ||
            !ws_request_form_param(call->body,
                                   call->has_parts,
                                   "password",
                                   password,
                                   sizeof(password))) {
                ws_response_problem(call->response,
                                    400,
                                    "bad_request",
                                    "The form must have username and password.");
                return 0;
        }

        r = ws_endpoint_login(call, password);
        secret_wipe(password, sizeof(password));
        return err_up(r);
}

static int ws_login_ttl_s(const WsCall *call) {
        return call->options->token_ttl_s > 0 ? call->options->token_ttl_s : WS_LOGIN_TTL_S;
}

static int ws_login_grant(WsCall *call, const WsSubject *subject, int ttl_s) {
        JsonOut out = { .buf = &call->response->body };
        char *jwt = NULL;
        int r;

        r = ws_auth_mint(call->access->auth, subject, call->now_us, ttl_s, &jwt);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                ws_response_problem(call->response,
                                    501,
                                    "tokens_not_issued",
                                    "This gateway has no HS256 secret, so it issues no tokens.");
                return 0;
        }

        ws_response_json(call->response);
        json_out_object(&out, NULL);
        json_out_string(&out, "access_token", jwt);
        json_out_string(&out, "token_type", "bearer");
        json_out_object_end(&out);
        secret_wipe(jwt, strlen(jwt));
        free(jwt);
        return 0;
}

int ws_endpoint_token_answer(WsCall *call, const Answer *answer) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        switch (answer->status) {
        case 200:
                metric_add(METRIC_LOGIN_OK, 1);
                ws_login_give_back(call);
                ws_proven_add(call->proven,
                              text_of(call->account),
                              ws_party_address(call->source),
                              call->now_us);
                return ws_login_grant(call,
                                      &(WsSubject){ .name = call->account,
                                                    .id = answer->user_id,
                                                    .generation = answer->generation,
                                                    .began_us = call->now_us },
                                      ws_login_ttl_s(call));
        case 401:
                metric_add(METRIC_LOGIN_FAILED, 1);
                ws_login_note_guess(call);
                ws_response_problem(call->response,
                                    401,
                                    "unauthorized",
                                    "Incorrect username or password.");
                return 0;
        default: /* not the fault of who asked */
                if (!call->is_spent)
                        ws_login_give_back(call);
                ws_response_retry_after(call->response, 2);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "The database is not there.");
                return 0;
        }
}

/* One token for another while it holds, for as long after the log-in as is allowed: a page that is
 * never left needs no password in its storage. */
int ws_endpoint_token_refresh(WsCall *call) {
        const User *user = call->identity.user;
        int ttl_s = ws_login_ttl_s(call);
        int session_s = call->options->session_max_s > ttl_s
                                ? call->options->session_max_s
                                : ttl_s; /* one that is renewed never ends before it would have */
        int64_t left_s = (call->identity.began_us - call->now_us) / 1000000 + session_s;

        ws_response_header(call->response, "Cache-Control", "no-store");
        if (call->identity.began_us == 0 || call->options->session_max_s == 0) {
                ws_response_problem(call->response,
                                    403,
                                    "not_renewable",
                                    "Only tokens of POST /api/token are renewed.");
                return 0;
        }
        if (left_s <= 0) {
                ws_response_problem(call->response,
                                    403,
                                    "session_over",
                                    "The log-in is too long ago: log in again.");
                return 0;
        }
        return ws_login_grant(call,
                              &(WsSubject){ .name = user->name,
                                            .id = user->id,
                                            .generation = user->generation,
                                            .began_us = call->identity.began_us },
                              left_s < ttl_s ? (int)left_s : ttl_s);
}

static void ws_login_ticket(WsCall *call, const char *ticket, int64_t expires_in_us) {
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_string(&out, "ticket", ticket);
        json_out_int(&out, "expires_in", expires_in_us / 1000000);
        json_out_object_end(&out);
}

/* For an event stream: as good as the credential that asks for it, and as long. */
static int ws_login_stream_ticket(WsCall *call, const WsHolder *holder) {
        char ticket[WS_STREAM_TICKET_SIZE];
        int r;

        r = ws_stream_ticket_make(call->access->auth, holder, ticket);
        if (r < 0)
                return err_up(r);
        ws_login_ticket(call, ticket, holder->expires_us - call->now_us);
        return 0;
}

int ws_endpoint_ticket(WsCall *call) {
        const WsHolder holder = {
                .user_id = call->identity.user->id,
                .generation = call->identity.user->generation,
                .expires_us = call->identity.expires_us,
        };
        char ticket[WS_SHARED_TICKET_SIZE];
        int r = WS_TICKETS_E_FULL;

        if (*call->target) { /* not of the request, which is gone where a body was read */
                if (strcmp(call->target, "events") == 0)
                        return ws_login_stream_ticket(call, &holder);
                ws_response_problem(call->response, 400, "bad_request", "for: only events.");
                return 0;
        }
        if (call->access->shared)
                r = ws_shared_tickets_issue(call->access->auth, &holder, call->now_us, ticket);
        else if (call->access->tickets)
                r = ws_tickets_issue(call->access->tickets, &holder, call->now_us, ticket);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                ws_response_retry_after(call->response, (int)(WS_TICKET_TTL_US / 1000000));
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "Too many tickets are out.");
                return 0;
        }
        ws_login_ticket(call, ticket, WS_TICKET_TTL_US);
        return 0;
}
