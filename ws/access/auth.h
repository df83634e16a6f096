#pragma once

/*
 * WsAuth: who is this? Verifies user tokens (JWT) and device tokens, and issues user tokens.
 *
 * Pure once made: no clock but the argument, no database. Immutable: any thread. The algorithm is
 * compared with the allow-list before the key is chosen, and every claim and its type here; the
 * signature is checked with OpenSSL, as libjwt, which makes our tokens, refuses with it what it
 * does not like (`typ: at+jwt`, numbers above 2^63).
 *
 * `exp` counts to the second, without leeway (an open socket has the server's grace); `nbf` has 5 s
 * for clocks that differ.
 */

#include "base/base.h"
#include "model/registry.h"

typedef struct WsAuth WsAuth;
typedef struct WsAuthOptions WsAuthOptions;
typedef struct WsClaims WsClaims;
typedef struct WsSubject WsSubject;

struct WsAuthOptions {
        const char *algorithms;          /* "HS256" or a list "HS256,RS256,ES256": the allow-list */
        const char *jwt_secret_file;     /* HS256: a list of `[kid=]path`; NULL = none */
        const char *jwt_public_key_file; /* RS256, ES256 (PEM): a list of `[kid=]path`; NULL = none
                                          */
        const char *token_pepper_file;   /* device tokens; NULL = none can be used */
        const char *issuer, *audience;   /* NULL = not checked */
        const char *subject_claim;       /* "sub" */
        const char *subject_type; /* "any": a string is a name, an integer an id; "name"; "id" */
        const char
                *anonymous; /* comma-separated paths; a final `*` matches any rest; NULL = none */
        bool query_token;   /* accept ?token= */
};

/* What a token says. One of ours names user and generation; of another issuer's the type of the
 * subject is decided by auth.subject_type, and nothing that is no name is tried as an id. */
struct WsClaims {
        char subject[256];
        bool is_id;                  /* the subject is the id of a user, never a name */
        int64_t user_id, generation; /* of a token of ours; else 0 */
        int64_t issued_us;           /* 0: it does not say */
        int64_t began_us; /* of a token of ours: the log-in that it goes back to; 0: to none */
        int64_t expires_us;
};

/* Whom a token of ours is for, as the database has him now. id 0: by his name alone, as others
 * would. */
struct WsSubject {
        const char *name;
        int64_t id, generation;
        int64_t began_us; /* of the log-in; 0: none, and it cannot be renewed */
};

enum {
        WS_AUTH_E_INVALID = 1, /* @ret_why says which rule, for the log and the close reason */
        WS_AUTH_E_EXPIRED,
        WS_AUTH_E_OPTIONS, /* new: a file is missing or unusable; logged */
};

MUST_CHECK int ws_auth_new(WsAuth **ret_auth, const WsAuthOptions *options);
WsAuth *ws_auth_free(WsAuth *auth);

MUST_CHECK int ws_auth_verify(const WsAuth *auth,
                              Text jwt,
                              int64_t now_us,
                              WsClaims *ret_claims,
                              const char **ret_why);
/* The user that the claims name; NULL if unknown, not active, or if his tokens were ended since. */
const User *ws_auth_user(const WsClaims *claims, const Registry *registry);
/* As tokens of ours are stored; false: there is no pepper. */
bool ws_auth_key_token(const WsAuth *auth, Text token, uint8_t ret_hash[32]);
/* Whose token it is, of the forms that a token is found by; NULL: nobody's. The latter: of one that
 * may not come, too. */
const Device *ws_auth_device(const WsAuth *auth, const Registry *registry, Text token);
const Device *ws_auth_token_of(const WsAuth *auth, const Registry *registry, Text token);
bool ws_auth_is_anonymous(const WsAuth *auth, Text path);
bool ws_auth_query_token(const WsAuth *auth);
bool ws_auth_is_subject_type(const char *type); /* any, name, id */

/* An HS256 token as heap memory. WS_AUTH_E_INVALID: there is no HS256 secret. */
MUST_CHECK int ws_auth_mint(const WsAuth *auth,
                            const WsSubject *subject,
                            int64_t now_us,
                            int ttl_s,
                            char **ret_jwt);

/* A key for what only we read again (ws/access/stream_ticket.h): number @i, of which 0 is the one
 * to make it with. Those of HS256, or, where there is none, a random one that lives as long as
 * @auth. False: there are fewer. */
bool ws_auth_seal(const WsAuth *auth, size_t i, Text *ret_key);

DEFINE_CLEANUP(WsAuth *, ws_auth_free);
