/* The seam to the disk: whole reads and writes, what a hook may do to them, small files replaced
 * whole. */
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[128];
static int dirfd_;

/* ---- the hook ---- */

struct fault {
    int n;          /* the operation of this number */
    int err;        /* fails so; 0: none fails */
    size_t at_most; /* bytes of each read and write; 0: all */
    unsigned ops;   /* bits of enum os_op that count */
    int seen;
    char name[64]; /* of the last operation on a name */
};

static int interfere(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    struct fault *f = arg;

    assert_true(fd >= 0 || fd == AT_FDCWD);
    if (name)
        snprintf(f->name, sizeof f->name, "%s", name);
    if ((op == OS_READ || op == OS_WRITE) && f->at_most && *len > f->at_most)
        *len = f->at_most;
    if (f->ops && !(f->ops >> op & 1))
        return 0;
    return f->seen++ == f->n ? f->err : 0;
}

static int begin(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/kcore-os.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return -1;
    dirfd_ = os_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    return dirfd_ < 0;
}

static int end(void **state)
{
    char command[160];

    (void)state;
    os_hook_set(NULL, NULL);
    os_close(dirfd_);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static int make(const char *name)
{
    int fd = os_openat(dirfd_, name, O_RDWR | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void assert_file(const char *name, const char *want)
{
    size_t n = 0;
    char *p = os_read_all(dirfd_, name, 1 << 20, &n);

    if (!want) {
        assert_null(p);
        assert_int_equal(errno, ENOENT);
        return;
    }
    assert_non_null(p);
    assert_int_equal(n, strlen(want));
    assert_string_equal(p, want);
    free(p);
}

/* ---- reads and writes ---- */

/* Pieces of every size come together, whatever the length of a single write. */
static void short_writes_and_reads_are_completed(void **state)
{
    static const char *const parts[] = {"one ", "", "three", " ", "and the rest of it"};
    const char *want = "one three and the rest of it";
    char got[64];

    (void)state;
    for (size_t at_most = 1; at_most < 30; at_most++) {
        struct fault f = {.at_most = at_most};
        struct iovec v[5];
        size_t done = 0;
        int fd = make("f");
        for (int i = 0; i < 5; i++)
            v[i] = (struct iovec){(void *)(uintptr_t)parts[i], strlen(parts[i])};
        os_hook_set(interfere, &f);
        assert_int_equal(os_pwritev(fd, v, 5, 3, &done), 0);
        assert_int_equal(done, strlen(want));
        memset(got, 0, sizeof got);
        assert_int_equal(os_pread(fd, got, sizeof got, 3), strlen(want));
        assert_string_equal(got, want);
        assert_int_equal(os_pread(fd, got, 4, 1000), 0);
        os_hook_set(NULL, NULL);
        os_close(fd);
        unlinkat(dirfd_, "f", 0);
    }
}

static void a_failed_write_tells_how_far_it_came(void **state)
{
    char zeros[100] = {0};

    (void)state;
    for (int n = 0; n < 10; n++) {
        struct fault f = {.n = n, .err = ENOSPC, .at_most = 10, .ops = 1u << OS_WRITE};
        struct iovec v = {zeros, sizeof zeros};
        size_t done = 99;
        int fd = make("f");
        struct stat st;
        os_hook_set(interfere, &f);
        assert_int_equal(os_pwritev(fd, &v, 1, 0, &done), -1);
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(done, 10 * n);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 10 * n);
        os_hook_set(NULL, NULL);
        os_close(fd);
        unlinkat(dirfd_, "f", 0);
    }
}

static void each_operation_can_fail(void **state)
{
    struct fault f = {.err = EIO};
    char b[4];
    int fd = make("f");

    (void)state;
    os_hook_set(interfere, &f);
#define FAILS(expr)                                                                                \
    do {                                                                                           \
        f.seen = 0;                                                                                \
        errno = 0;                                                                                 \
        assert_int_equal(expr, -1);                                                                \
        assert_int_equal(errno, EIO);                                                              \
    } while (0)
    FAILS(os_openat(dirfd_, "g", O_WRONLY | O_CREAT, 0600));
    FAILS(os_pread(fd, b, 4, 0));
    FAILS(os_pread_nowait(fd, b, 4, 0));
    FAILS(os_pwrite(fd, b, 4, 0));
    FAILS(os_fsync(fd));
    FAILS(os_fdatasync(fd));
    FAILS(os_ftruncate(fd, 9));
    FAILS(os_renameat(dirfd_, "f", dirfd_, "g"));
    assert_string_equal(f.name, "f");
    FAILS(os_unlinkat(dirfd_, "f", 0));
    FAILS(os_mkdirat(dirfd_, "d", 0700));
    assert_string_equal(f.name, "d");
    FAILS(os_reserve(fd, 0, 4096));
#undef FAILS
    os_hook_set(NULL, NULL);
    assert_file("f", "");
    assert_file("g", NULL);
    os_close(fd);
}

static void links_are_not_followed_and_descriptors_not_inherited(void **state)
{
    int fd = make("f");

    (void)state;
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    os_close(fd);
    assert_int_equal(symlinkat("f", dirfd_, "link"), 0);
    assert_int_equal(os_openat(dirfd_, "link", O_RDONLY, 0), -1);
    assert_int_equal(errno, ELOOP);
}

static void a_reservation_keeps_the_size(void **state)
{
    int fd = make("f");
    struct stat st;

    (void)state;
    if (os_reserve(fd, 0, 1 << 20) == 0) {
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_true(st.st_blocks >= 2048);
    } else {
        assert_int_equal(errno, EOPNOTSUPP);
    }
    os_close(fd);
}

/* ---- small files ---- */

static bool holds(const char *name, const char *want)
{
    char *p = os_read_all(dirfd_, name, 1 << 20, NULL);
    bool same = p && strcmp(p, want) == 0;

    free(p);
    return same;
}

/* At whichever operation it fails: the old content or the new one, and no .tmp left. */
static void a_file_is_replaced_whole(void **state)
{
    int rc = -1, unsure = 0;

    (void)state;
    for (int n = 0; rc < 0; n++) {
        struct fault f = {.n = n, .err = EIO, .at_most = 3};
        assert_int_equal(os_replace(dirfd_, "f", "old", 3), 0);
        os_hook_set(interfere, &f);
        rc = os_replace(dirfd_, "f", "the new one", 11);
        assert_true(rc == 0 || errno == EIO);
        os_hook_set(NULL, NULL);
        if (rc == 0)
            assert_file("f", "the new one");
        else if (holds("f", "the new one"))
            unsure++; /* the sync of the directory, behind the rename */
        else
            assert_file("f", "old");
        assert_file("f.tmp", NULL);
        assert_true(n < 30);
    }
    assert_int_equal(unsure, 1);
}

static void names_that_are_too_long(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'n', sizeof name);
    name[254] = 0;
    assert_int_equal(os_replace(dirfd_, name, "x", 1), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

static void reading_all_has_limits(void **state)
{
    size_t n = 77;

    (void)state;
    assert_int_equal(os_replace(dirfd_, "f", "12345", 5), 0);
    assert_null(os_read_all(dirfd_, "f", 4, &n));
    assert_int_equal(errno, EFBIG);
    assert_int_equal(mkdirat(dirfd_, "d", 0700), 0);
    assert_null(os_read_all(dirfd_, "d", 100, &n));
    assert_int_equal(errno, EINVAL);
    assert_null(os_read_all(dirfd_, "nothing", 100, &n));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(n, 77);
    assert_file("f", "12345");
}

/* ---- clocks ---- */

static void clocks_go_forward(void **state)
{
    const struct os_clock *c = os_clock_real();
    mono_ns a = os_mono(c), b = os_mono(c);

    (void)state;
    assert_true(b.ns >= a.ns);
    assert_true(os_wall(c).ms > INT64_C(1700000000000));
    assert_int_equal(mono_diff_ms(mono_add_ms(a, 1500), a), 1500);
    assert_int_equal(mono_diff_ms((mono_ns){1999999}, (mono_ns){0}), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(short_writes_and_reads_are_completed),
        TEST(a_failed_write_tells_how_far_it_came),
        TEST(each_operation_can_fail),
        TEST(links_are_not_followed_and_descriptors_not_inherited),
        TEST(a_reservation_keeps_the_size),
        TEST(a_file_is_replaced_whole),
        TEST(names_that_are_too_long),
        TEST(reading_all_has_limits),
        TEST(clocks_go_forward),
    };

    return cmocka_run_group_tests_name("os_file", tests, NULL, NULL);
}
