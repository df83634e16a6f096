#include "gateway/node.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/figures.h"
#include "model/metrics.h"

enum {
        NODE_BEAT_MAX_MS = 2000,
        NODE_PARTS = 3, /* of a lease: from one sign of life to the next */
        NODE_LOOKS = 6, /* at somebody else's */
};

void node_write_name(const char *name,
                     const char *host,
                     const char *journal_dir,
                     char ret_name[static NODE_NAME_SIZE]) {
        if (name)
                snprintf(ret_name, NODE_NAME_SIZE, "%s", name);
        else
                snprintf(ret_name, NODE_NAME_SIZE, "%s:%s", host, journal_dir);
}

void node_init(Node *node, const NodeOptions *options) {
        node->options = *options;
        node_write_name(options->name, options->host, options->journal_dir, node->name);
}

static void node_wait(Node *node, int n_parts) {
        int ms = node->options.lease_ms / n_parts;

        node->next_us =
                clock_mono_us() + (ms < NODE_BEAT_MAX_MS ? ms : NODE_BEAT_MAX_MS) * INT64_C(1000);
}

static bool node_is_watching(const Node *node) {
        return *node->seen.instance != '\0';
}

/* Long enough, and without a gap in which a sign of life would not have been seen. */
static bool node_has_lapsed(const Node *node) {
        int64_t lease_us = node->seen.lease_ms * INT64_C(1000);

        return node_is_watching(node) &&
               node->seen_us - node->since_us > lease_us + lease_us / NODE_PARTS;
}

/* Somebody else has it. */
static int node_watch(Node *node, const DbBeatOwner *owner) {
        bool is_same = node_is_watching(node) && strcmp(owner->instance, node->seen.instance) == 0;
        bool is_alive = is_same && owner->beats != node->seen.beats;
        int64_t now_us = clock_mono_us();

        if (!is_same || now_us - node->seen_us > owner->lease_ms * INT64_C(500))
                node->since_us = now_us;
        node->seen = *owner;
        node->seen_us = now_us;
        if (is_alive) {
                log_error("node_taken cluster=%s node=%s holder=%s:%d hint=\"another gateway that "
                          "is "
                          "alive has this name: give each its own cluster.node\"",
                          node->options.cluster,
                          node->name,
                          owner->host,
                          owner->pid);
                return NODE_E_TAKEN;
        }
        if (!node->is_said)
                log_warning("node_name_waited_for cluster=%s node=%s holder=%s:%d",
                            node->options.cluster,
                            node->name,
                            owner->host,
                            owner->pid);
        node->is_said = true;
        node_wait(node, NODE_LOOKS);
        return 0;
}

int node_turn(Node *node, DbConn *conn, bool takes_part) {
        bool is_lapsed = node_has_lapsed(node);
        const NodeOptions *options = &node->options;
        CLEANUP_BUF Buf figures = { 0 };
        DbBeatOwner owner;
        int r;

        if (clock_mono_us() < node->next_us)
                return 0;
        figures_write(&figures);
        r = db_beat(conn,
                    &(DbBeat){ .cluster = options->cluster,
                               .node = node->name,
                               .instance = options->instance,
                               .place = options->place,
                               .host = options->host,
                               .advertise = options->advertise ? options->advertise : "",
                               .pid = (int)getpid(),
                               .slot = takes_part ? options->slot : -1,
                               .lease_ms = options->lease_ms,
                               .waiting = metric_get(METRIC_IN_JOURNAL),
                               .is_draining = atomic_load(&node->is_draining),
                               .is_fixed = options->name != NULL,
                               .figures = buf_failed(&figures) ? NULL : figures.data,
                               .seen_instance = is_lapsed ? node->seen.instance : "",
                               .seen_beats = node->seen.beats },
                    &owner);
        if (r == DB_E_SCHEMA) {
                node_wait(node, NODE_PARTS);
                return 0;
        }
        if (r != 0)
                return r;
        if (!owner.is_us)
                return node_watch(node, &owner);
        node->seen = (DbBeatOwner){ 0 };
        node->is_said = false;
        node_wait(node, NODE_PARTS);
        return 0;
}

void node_drain(Node *node) {
        atomic_store(&node->is_draining, true);
}

void node_end(Node *node, DbConn *conn) {
        if (db_conn_is_open(conn))
                (void)!db_beat_end(conn, node->options.cluster, node->options.instance);
}
