#pragma once

/*
 * DbPage: what the pages of the origin systems ask, one body each.
 *
 * Each page is one statement, which makes the JSON where the rows are: constant text with the
 * parameters of page_source.h, with the statement time-out of the connection. All but those that
 * set something only read. A page
 * with a user_id is answered from what that user may see; of the device or vehicle that it names
 * the caller has checked that.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"
#include "model/page_query.h"

/* Appends the body. DB_E_NOT_FOUND: there is no such thing. */
MUST_CHECK int db_page(DbConn *conn, const PageQuery *page, Buf *ret_body);
