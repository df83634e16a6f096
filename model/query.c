#include "model/query.h"

#include "base/err.h"
#include "model/event.h"

int query_new(Query **ret_query, QueryKind kind) {
        Query *query;

        query = calloc(1, sizeof(*query));
        if (!query)
                return err_new(-ENOMEM);

        query->kind = kind;
        *ret_query = query;
        return 0;
}

Query *query_free(Query *query) {
        if (!query)
                return NULL;

        if (query->password)
                explicit_bzero(query->password, strlen(query->password));
        free(query->password);
        free(query->username);
        if (query->replay) {
                free(query->replay->vehicle_ids);
                free(query->replay->device_ids);
                free(query->replay->parts);
        }
        free(query->replay);
        free(query->user_ids);
        free(query->cluster);
        free(query->runs);
        free(query->command_id);
        free(query->action);
        free(query->payload);
        free(query->idempotency_key);
        free(query->history);
        free(query->page);
        free(query->letters);
        if (query->attempt) {
                buf_done(&query->attempt->topic);
                buf_done(&query->attempt->payload);
                buf_done(&query->attempt->config);
        }
        free(query->attempt);
        manage_query_free(query->manage);
        stream_unref(query->stream);
        free(query);
        return NULL;
}

void query_names(const Query *query, int64_t *ret_vehicle_id, int64_t *ret_device_id) {
        *ret_vehicle_id = *ret_device_id = 0;
        if (query->history) {
                *ret_vehicle_id = query->history->vehicle_id;
                *ret_device_id = query->history->device_id;
        } else if (query->page) {
                *ret_vehicle_id = query->page->vehicle_id;
                *ret_device_id = query->page->device_id;
        }
}

int answer_new(Answer **ret_answer, const Query *query) {
        CLEANUP(answer_free) Answer *answer = NULL;

        answer = calloc(1, sizeof(*answer));
        if (!answer)
                return err_new(-ENOMEM);

        answer->kind = query->kind;
        answer->question = query->question;
        answer->device_id = query->device_id;
        answer->status = 503;
        if (query->n_user_ids > 0) {
                answer->user_ids = calloc(query->n_user_ids, sizeof(answer->user_ids[0]));
                answer->bodies = calloc(query->n_user_ids, sizeof(answer->bodies[0]));
                if (!answer->user_ids || !answer->bodies)
                        return err_new(-ENOMEM);
                memcpy(answer->user_ids,
                       query->user_ids,
                       query->n_user_ids * sizeof(answer->user_ids[0]));
                answer->n_bodies = query->n_user_ids;
        }

        *ret_answer = TAKE(&answer);
        return 0;
}

Answer *answer_free(Answer *answer) {
        if (!answer)
                return NULL;

        for (size_t i = 0; i < answer->n_bodies; ++i)
                buf_done(&answer->bodies[i]);
        for (size_t i = 0; i < answer->n_events; ++i)
                event_unref(answer->events[i]);
        buf_done(&answer->chunk);
        free(answer->events);
        free(answer->upto);
        free(answer->bodies);
        free(answer->user_ids);
        free(answer);
        return NULL;
}
