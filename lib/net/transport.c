#include "net/conn.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd_of(void *self)
{
    return (int)(intptr_t)self;
}

static ssize_t plain_readv(void *self, const struct iovec *v, int n)
{
    return readv(fd_of(self), v, n);
}

static ssize_t plain_writev(void *self, const struct iovec *v, int n, bool more)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};

    return sendmsg(fd_of(self), &m, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

/* May raise SIGPIPE: programs that use lib/net ignore it. */
static ssize_t plain_send_file(void *self, int fd, int64_t at, size_t n)
{
    off_t from = at;
    ssize_t k = sendfile(fd_of(self), fd, &from, n);

    if (k == 0 && n > 0) { /* the file is shorter than promised */
        errno = EIO;
        return -1;
    }
    return k;
}

static int plain_want(void *self)
{
    (void)self;
    return 0;
}

static void plain_close(void *self)
{
    close(fd_of(self));
}

const struct transport transport_plain = {
    plain_readv, plain_writev, plain_send_file, plain_want, fd_of, plain_close,
};
