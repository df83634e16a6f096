#include "base/process.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define PROCESS_FIELD_START 22         /* starttime of proc(5), in clock ticks since boot */
#define PROCESS_FIELD_RSS   24         /* rss, in pages */
#define PROCESS_SLACK       (16 << 20) /* bytes free that may stay */

/* One numeric field of /proc/self/stat, counted as proc(5) does, from 4 on. */
static uint64_t process_stat(int field) {
        char text[1024];
        char *at, *save = NULL;
        size_t n;
        FILE *file;

        file = fopen("/proc/self/stat", "re");
        if (!file)
                return 0;
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[n] = '\0';

        at = strrchr(text, ')'); /* the name before it may hold anything */
        if (!at)
                return 0;
        at = strtok_r(at + 1, " ", &save); /* field 3 */
        for (int i = 3; at && i < field; ++i)
                at = strtok_r(NULL, " ", &save);
        return at ? strtoull(at, NULL, 10) : 0;
}

double process_cpu_seconds(void) {
        struct rusage usage = { 0 };

        getrusage(RUSAGE_SELF, &usage);
        return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double process_start_seconds(void) {
        struct timespec since_boot = { 0 };
        double boot;

        clock_gettime(CLOCK_BOOTTIME, &since_boot);
        boot = (double)clock_now_us() / 1e6 - (double)since_boot.tv_sec -
               (double)since_boot.tv_nsec / 1e9;
        return boot + (double)process_stat(PROCESS_FIELD_START) / (double)sysconf(_SC_CLK_TCK);
}

size_t process_resident_bytes(void) {
        return (size_t)process_stat(PROCESS_FIELD_RSS) * (size_t)sysconf(_SC_PAGESIZE);
}

size_t process_n_fds(void) {
        size_t n = 0;
        DIR *dir;

        dir = opendir("/proc/self/fd");
        if (!dir)
                return 0;
        /* cppcheck-suppress readdirCalled */
        while (readdir(dir)) /* NOLINT(concurrency-mt-unsafe): the stream is this call's own */
                ++n;
        closedir(dir);
        return n > 3 ? n - 3 : 0; /* ".", ".." and the stream itself do not count */
}

size_t process_max_fds(void) {
        struct rlimit limit = { 0 };

        getrlimit(RLIMIT_NOFILE, &limit);
        return (size_t)limit.rlim_cur;
}

void process_give_back(void) {
        static size_t peak; /* of what is used */
        size_t used = mallinfo2().uordblks;

        if (used > peak)
                peak = used;
        if (peak - used < PROCESS_SLACK)
                return;
        peak = used;
        (void)malloc_trim(0);
}
