/* What cppcheck has to know of uthash and sys/queue.h, whose headers it does not read. */
#define TAILQ_HEAD(name, type)              \
        struct name {                       \
                struct type *first, **last; \
        }
#define TAILQ_ENTRY(type)                      \
        struct {                               \
                struct type *next, **previous; \
        }
#define HASH_ITER(hh, head, at, next)  for ((at) = (head), (next) = NULL; (at); (at) = (next))
#define TAILQ_FOREACH(at, head, field) for ((at) = (head)->first; (at); (at) = (at)->field.next)
