#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "db/conn.h"
#include "db/edit/listing.h"
#include "gateway/cli/cli_command.h"
#include "gateway/node.h"
#include "gateway/trial/view.h"

#define CLUSTER_MAX_FIELDS 12

typedef struct Cluster Cluster;

struct Cluster {
        View *view;
        const char *names[CLUSTER_MAX_FIELDS]; /* of the list under way; NULL: none is yet */
        size_t n_missing; /* slots that no live gateway has, and what is not stored */
};

static bool cluster_is_number(const char *name) {
        static const char *const numbers[] = { "slot",   "pid",   "schema", "waiting", "fence",
                                               "stored", "after", "last",   "messages" };

        for (size_t i = 0; i < N_ELEMENTS(numbers); ++i)
                if (strcmp(name, numbers[i]) == 0)
                        return true;
        return false;
}

/* The first line has the names. */
static void cluster_row(void *arg, const char *const fields[], size_t n_fields) {
        Cluster *cluster = arg;
        View *view = cluster->view;

        assert(n_fields <= CLUSTER_MAX_FIELDS);
        if (!cluster->names[0]) {
                memcpy(cluster->names, fields, n_fields * sizeof(fields[0]));
                return;
        }
        view_object(view, NULL);
        for (size_t i = 0; i < n_fields; ++i) {
                const char *value = *fields[i] ? fields[i] : NULL;

                if (value && cluster_is_number(cluster->names[i]))
                        view_int(view, cluster->names[i], strtoll(value, NULL, 10));
                else
                        view_string(view, cluster->names[i], value);
        }
        view_object_end(view);
}

static void cluster_slot(void *arg, const char *const fields[], size_t n_fields) {
        Cluster *cluster = arg;

        if (cluster->names[0] && strcmp(fields[1], "held") != 0)
                ++cluster->n_missing;
        cluster_row(arg, fields, n_fields);
}

static void cluster_missing(void *arg, const char *const fields[], size_t n_fields) {
        Cluster *cluster = arg;

        if (cluster->names[0])
                ++cluster->n_missing;
        cluster_row(arg, fields, n_fields);
}

static int cluster_read(Cluster *cluster, DbConn *conn) {
        static const struct {
                const char *name;
                DbListing listing;
                DbListingFn fn;
        } lists[] = {
                { "nodes", DB_LISTING_NODES, cluster_row },
                { "slots", DB_LISTING_SLOTS, cluster_slot },
                { "missing", DB_LISTING_MISSING, cluster_missing },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(lists); ++i) {
                view_array(cluster->view, lists[i].name);
                cluster->names[0] = NULL;
                r = db_listing(conn, lists[i].listing, lists[i].fn, cluster);
                view_array_end(cluster->view);
        }
        return r;
}

int cli_cluster_status(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        CLEANUP_VIEW View view = { 0 };
        Cluster cluster = { .view = &view };
        int r;

        r = cli_load(cli, &config);
        if (r == CLI_OK)
                r = cli_connect(cli, config, &conn);
        if (r != CLI_OK)
                return r;
        view_init(&view, cli->values[CLI_JSON] != NULL);
        r = cluster_read(&cluster, conn);
        if (r != 0)
                return cli_db_result(cli, conn, r, "cluster");
        r = view_print(&view, stdout);
        if (r != 0)
                return cli_fault(cli, "out of memory");
        return cluster.n_missing == 0 ? CLI_OK : CLI_FAULT;
}

/* Of a gateway with this configuration. */
static void cluster_name_node(const Config *config, char ret_name[static NODE_NAME_SIZE]) {
        char host[HOST_NAME_MAX + 1] = "";

        if (gethostname(host, sizeof(host) - 1) < 0)
                snprintf(host, sizeof(host), "unknown");
        node_write_name(config->cluster_node && *config->cluster_node ? config->cluster_node : NULL,
                        host,
                        config->journal.dir,
                        ret_name);
}

int cli_cluster_drain(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        bool is_drained = cli->values[CLI_UNDO] == NULL;
        char node[NODE_NAME_SIZE];
        int r;

        r = cli_load(cli, &config);
        if (r == CLI_OK)
                r = cli_connect(cli, config, &conn);
        if (r != CLI_OK)
                return r;
        if (cli->n_operands > 0)
                snprintf(node, sizeof(node), "%s", cli->operands[0]);
        else
                cluster_name_node(config, node);
        r = db_listing_node_drained(conn, config->cluster_name, node, is_drained);
        return cli_db_result(cli, conn, r, node);
}
