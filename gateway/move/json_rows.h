#pragma once

/*
 * JsonRows: the objects of a list in a JSON text, as rows, one at a time. See row.h.
 *
 * Only one object at a time is made of json-c; what is around it is walked over. An object that
 * cannot be read costs itself, as long as its end can be told.
 */

#include "gateway/move/row.h"

/* @member: the list that has this name in an object; NULL: the text is the list. */
MUST_CHECK int json_rows_each(Text text, const char *member, Row *row, const RowHandler *handler);
