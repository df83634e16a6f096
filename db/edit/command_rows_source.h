#pragma once

/*
 * What the files of DbCommandRows share: which commands are meant, and how one is read. Private to
 * db/edit/command_rows*.c.
 */

#include "base/base.h"

struct pg_result;
typedef struct DbCommand DbCommand;

#define COMMANDS_ARG_SIZE 24

/* clang-format off */
#define UNFINISHED "state IN ('accepted', 'published', 'delivered', 'executing')"
#define OPEN       UNFINISHED " AND cancelled_at IS NULL"
/* What no device is known to have can be cancelled. Whoever commands must still be allowed to when
 * it is sent; of a user who is gone the trigger knows. */
#define UNPROVEN "c.state IN ('accepted', 'published') AND c.cancelled_at IS NULL"
#define WANTED                                   \
        UNPROVEN " AND c.expires_at > now() AND" \
                 " (c.user_id IS NULL OR tidegate_may_command(c.user_id, c.device_id))"
#define COLUMNS                                                                        \
        "c.command_id, c.action, c.payload, c.device_id,"                              \
        " (SELECT d.code FROM devices d WHERE d.id = c.device_id),"                    \
        " (SELECT u.username FROM devices d JOIN users u ON u.id = d.user_id"          \
        " WHERE d.id = c.device_id),"                                                  \
        " greatest(0, ceil(extract(epoch FROM c.expires_at - now()) * 1000))::bigint," \
        " CASE WHEN c.cancelled_at IS NOT NULL THEN coalesce(c.cancel_message, '') END"
/* What has left cannot be called back. */
#define ON_ITS_WAY                                                               \
        " || CASE WHEN c.state = 'published' THEN '; the broker had it already'" \
        " WHEN c.claimed_until > now() THEN '; the broker may have it already' ELSE '' END"
/* clang-format on */

/* Row @i of COLUMNS, borrowed from @result. */
void db_command_rows_row(const struct pg_result *result, int i, DbCommand *ret_command);
