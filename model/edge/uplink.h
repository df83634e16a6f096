#pragma once

/*
 * Uplink: what a gateway without a database (an edge) sends to one that has it, as bytes.
 *
 * A batch is one binary message: a head (magic, checksum, the number before it, how many records),
 * and then the records in ascending order, each with the number and time that the edge's journal
 * gave it. A record is journalled by the central gateway with a mark in front of its payload, which
 * says whose it is and where it stood. Numbers are little-endian; nothing is aligned. Pure.
 */

#include "base/base.h"
#include "base/buf.h"

#define UPLINK_FORMAT       1                         /* of batches and hello */
#define UPLINK_BATCH_BYTES  ((size_t)1024 * 1024)     /* of one batch, at most */
#define UPLINK_WINDOW_BYTES ((size_t)4 * 1024 * 1024) /* that may wait for an answer */
#define UPLINK_HEAD_BYTES   20
#define UPLINK_RECORD_BYTES 24 /* and topic and payload */
#define UPLINK_MARK_BYTES   48
#define UPLINK_AGE_US       (400 * INT64_C(86400000000)) /* an older receipt is no time */

typedef struct UplinkBatch UplinkBatch;
typedef struct UplinkLine UplinkLine;
typedef struct UplinkLost UplinkLost;
typedef struct UplinkMark UplinkMark;
typedef struct UplinkRecord UplinkRecord;

struct UplinkRecord {
        uint64_t seq;
        int64_t received_us;
        bool is_retained;
        Text topic, payload;
};

/* One that is read; borrows the message. */
struct UplinkBatch {
        uint32_t sum; /* CRC-32C, as its head says, */
        Text summed;  /* of these bytes */
        uint64_t after_seq;
        uint32_t n; /* records that are left to read */
        Text rest;  /* where they are */
};

/* How it stands with the journal into which an edge's messages go. */
struct UplinkLine {
        uint64_t stored_seq; /* up to where that is in the database */
        uint64_t view;       /* as that is, and was when that number was reached; see UplinkMark */
};

/* What an edge has let go of that nobody has stored: since its start, and of that what is news. */
struct UplinkLost {
        uint64_t n_dropped, n_gaps; /* messages; ranges of numbers */
        uint64_t n_new_dropped, n_new_gaps;
};

/* Where a record came from. */
struct UplinkMark {
        int64_t device_id;  /* of the edge */
        uint64_t epoch;     /* of its journal */
        uint64_t after_seq; /* of the record before it, or the position that the edge was told */
        uint64_t seq;
        int64_t received_us;
        uint64_t view; /* which of a database's states said that position (origins.h) */
};

/* The head; false: it is no batch. */
bool uplink_batch_open(Text message, UplinkBatch *ret_batch);
/* The next record; false: there is none, or (batch->n > 0) what follows is none. */
bool uplink_batch_next(UplinkBatch *batch, UplinkRecord *ret_record);
bool uplink_batch_is_whole(const UplinkBatch *batch); /* all were read, and nothing is behind */

/* Into an empty @buf: begin, add each, then seal with the sum of uplink_batch_summed(). */
void uplink_batch_begin(Buf *buf, uint64_t after_seq);
void uplink_batch_add(Buf *buf, const UplinkRecord *record);
Text uplink_batch_summed(const Buf *buf);
void uplink_batch_seal(const Buf *buf, uint32_t sum);

void uplink_mark(Buf *buf, const UplinkMark *mark);
/* Takes it off @payload; false: there is none. */
bool uplink_unmark(Text *payload, UplinkMark *ret_mark);
