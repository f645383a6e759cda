/*
 * source FILE... - the least that sending a log can cost: whoever connects gets the files, a
 * mebibyte for each sendfile, without asking. Writes its port to stdout.
 */
#include "bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEP = 1 << 20 };

static void give(int to, const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    off_t at = 0;
    ssize_t k;

    if (fd < 0)
        die("%s: %s", name, strerror(errno));
    while ((k = sendfile(to, fd, &at, STEP)) > 0)
        ;
    close(fd);
}

int main(int argc, char **argv)
{
    int port = 0, listener = listen_local(&port);

    signal(SIGPIPE, SIG_IGN);
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        for (int i = 1; fd >= 0 && i < argc; i++)
            give(fd, argv[i]);
        if (fd >= 0)
            close(fd);
    }
}
