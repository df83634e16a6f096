#include "gateway/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define SIGNALS_SAME_US 1000000 /* Ctrl-C reaches a group: the first often comes twice */

static volatile int64_t signals_stopping_us; /* for the handler: when the first one came */

static void signals_ignore(void) {
        /* Those that scripts send to other programs, and that of a file which may not grow
         * further, as the write says so itself. */
        static const int ignored[] = { SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM,
                                       SIGPROF, SIGIO,   SIGPWR,  SIGXFSZ };

        for (size_t i = 0; i < N_ELEMENTS(ignored); ++i)
                (void)signal(ignored[i], SIG_IGN);
}

void signals_expect(void) {
        sigset_t set;

        signals_ignore();
        MUST(sigemptyset(&set));
        MUST(sigaddset(&set, SIGHUP));
        MUST(pthread_sigmask(SIG_BLOCK, &set, NULL));
}

int signals_open(int *ret_fd) {
        sigset_t set;
        int fd;

        MUST(sigemptyset(&set));
        MUST(sigaddset(&set, SIGTERM));
        MUST(sigaddset(&set, SIGINT));
        MUST(sigaddset(&set, SIGHUP));
        MUST(pthread_sigmask(SIG_BLOCK, &set, NULL));
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return err_new(-errno);
        *ret_fd = fd;
        return 0;
}

int signals_next(int fd) {
        struct signalfd_siginfo info;

        if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
                return 0;
        return (int)info.ssi_signo;
}

static void signals_on_second(int signo) {
        static const char text[] = "second signal: ending at once, the journal keeps the rest\n";

        (void)signo;
        if (clock_mono_us() - signals_stopping_us < SIGNALS_SAME_US)
                return;
        log_last_words(text, sizeof(text) - 1);
        _exit(EXIT_FAILURE);
}

/* Nothing is lost by an end at any moment, so a second signal need not be polite. */
void signals_arm_second(void) {
        const struct sigaction action = { .sa_handler = signals_on_second };
        sigset_t set;

        signals_stopping_us = clock_mono_us();
        MUST(sigaction(SIGTERM, &action, NULL));
        MUST(sigaction(SIGINT, &action, NULL));
        MUST(sigemptyset(&set));
        MUST(sigaddset(&set, SIGTERM));
        MUST(sigaddset(&set, SIGINT));
        MUST(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
}
