#include "model/bulletin.h"

#include <pthread.h>

#include "base/err.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *texts[BULLETIN_COUNT]; /* {lock} NULL: nothing */
static size_t lengths[BULLETIN_COUNT];

static void bulletin_replace(BulletinSubject subject, char *text, size_t length) {
        char *before;

        pthread_mutex_lock(&lock);
        before = texts[subject];
        texts[subject] = text;
        lengths[subject] = length;
        pthread_mutex_unlock(&lock);
        free(before);
}

int bulletin_put(BulletinSubject subject, Text text) {
        char *copy = malloc(text.n + 1);

        if (!copy)
                return err_new(-ENOMEM);
        if (text.n > 0)
                memcpy(copy, text.data, text.n);
        bulletin_replace(subject, copy, text.n);
        return 0;
}

void bulletin_clear(BulletinSubject subject) {
        bulletin_replace(subject, NULL, 0);
}

bool bulletin_get(BulletinSubject subject, Buf *buf) {
        bool is_there;

        pthread_mutex_lock(&lock);
        is_there = texts[subject] != NULL;
        if (is_there)
                buf_append(buf, texts[subject], lengths[subject]);
        pthread_mutex_unlock(&lock);
        return is_there;
}
