/*
 * record_support - what the tests of lib/record share: the process's peak of memory.
 */
#ifndef KCORE_TESTS_RECORD_SUPPORT_H
#define KCORE_TESTS_RECORD_SUPPORT_H

/* Kilobytes in use now, from where a new peak is counted; -1 where /proc does not allow that. */
long memory_mark(void);
/* By how many the peak has been above the mark; 0 for a mark of -1. */
long memory_grown(long mark);

#endif
