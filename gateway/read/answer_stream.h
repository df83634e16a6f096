#pragma once

/*
 * AnswerStream: a question of kind QUERY_HISTORY, whose body goes out in pieces.
 *
 * Blocks, as fast as the query's Stream has room. What nobody waits for any more is dropped, also
 * in the middle: the statement under way ends with its connection, which the server looks after
 * twice a second (ANSWER_STREAM_GREETING). What takes longer than the reader's stream_timeout_ms is
 * broken off, so that slow readers cannot keep the connections. Only faults.
 */

#include "base/base.h"
#include "model/query.h"

/* The server notices by itself when we are gone, where it can. */
#define ANSWER_STREAM_GREETING "SET client_connection_check_interval = 500"

typedef struct Reader Reader;

MUST_CHECK int answer_stream(Reader *reader, const Query *query);
