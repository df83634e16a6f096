#include "gateway/read/answer_manage.h"

#include "base/err.h"
#include "base/log.h"
#include "base/password/password.h"
#include "base/secret.h"
#include "db/edit/manage.h"

#define ANSWER_MANAGE_ID "{\"id\" : " /* what a body begins with */

/* Who did what to which: no names, which are others' text, and no secrets. */
static void answer_manage_log(const Query *query, const Answer *answer) {
        const ManageQuery *manage = query->manage;
        const size_t n_before = strlen(ANSWER_MANAGE_ID);
        long long id = (long long)manage->id;

        if (manage_kind_is_read(manage->kind))
                return;
        if (id == 0 && strncmp(buf_text(&answer->bodies[0]).data, ANSWER_MANAGE_ID, n_before) == 0)
                id = strtoll(answer->bodies[0].data + n_before, NULL, 10);
        log_info("managed action=%s id=%lld by=%lld status=%d",
                 manage_kind_name(manage->kind),
                 id,
                 (long long)query->user_ids[0],
                 answer->status);
}

int answer_manage(DbConn *conn, const Query *query, Answer *answer) {
        char hash[PASSWORD_SIZE];
        int r = 0;

        if (query->manage->has_password)
                r = password_hash(query->password, hash);
        if (r < 0)
                return err_up(r);
        r = db_manage(conn, query, hash, answer);
        secret_wipe(hash, sizeof(hash));
        if (r < 0)
                return err_up(r);
        if (r == 0)
                answer_manage_log(query, answer);
        return r;
}
