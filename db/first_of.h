#pragma once

/*
 * FirstOf: in SQL, the first rows of what several things have, at the cost of these things and of
 * the page, however much others have that the asker does not see.
 *
 * Where there is an index by the thing and the receipt, each thing says in one probe which row is
 * its first. The page is of those things alone whose first rows are the first of all, as many as it
 * has rows; and of what is not behind the last of these.
 */

/* clang-format off */
/*
 * @things: a SELECT of ids, called id. @rows: what follows FROM, and calls its rows l. @thing: the
 * column that names the thing. @where: begins with AND. @order: ORDER BY, received_at first; @behind:
 * the macro below that goes with it. @limit: how many.
 */
#define DB_FIRST_OF(things, rows, thing, where, order, behind, limit)                              \
        "(WITH things AS MATERIALIZED (" things "),"                                               \
        " firsts AS MATERIALIZED (SELECT f." thing " AS thing, f.received_at AS at"                \
        "  FROM things t CROSS JOIN LATERAL (SELECT * FROM " rows                                  \
        "   WHERE l." thing " = t.id" where order " LIMIT 1) f" order " LIMIT " limit ")"          \
        " SELECT l.* FROM firsts t CROSS JOIN LATERAL (SELECT * FROM " rows                        \
        "  WHERE l." thing " = t.thing" where                                                      \
        "   AND (l.received_at, l.journal_id) " behind(limit)                                       \
        order " LIMIT " limit ") l" order " LIMIT " limit ")"

/* As pairs, which the index finds by the first of them: of two bounds of one column that are not
 * known while it plans, the server would expect no row between them, and read and sort all. */
#define DB_NOT_BEHIND_UP(limit)                                                                    \
        "<= ((SELECT CASE WHEN count(*) < " limit " THEN 'infinity' ELSE max(at) END FROM firsts),"  \
        "    2147483647)"
#define DB_NOT_BEHIND_DOWN(limit)                                                                  \
        ">= ((SELECT CASE WHEN count(*) < " limit " THEN '-infinity' ELSE min(at) END FROM firsts),"  \
        "    -2147483648)"
/* clang-format on */
