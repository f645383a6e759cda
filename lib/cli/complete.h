/*
 * complete - what a shell may offer for the word at the cursor. The tool is asked itself, so every
 * shell offers the same, and what is offered is what that very program takes:
 *
 *     TOOL --complete WORD...     the words behind the tool's name; the last one is being typed
 *
 * The first line of the answer is who completes: "words" follow, a line each, "WORD<TAB>what it is"
 * (a word that ends with "=" or ":" is not finished); "files N", "dirs N" and "commands N" are for
 * the shell to find, behind the first N bytes of the word. No first line: there is nothing.
 *
 * What operands are is said by the words of struct opt_command (or of struct opt_tool), one for
 * each operand, the last one for all that follow:  "a|b" one of these; FILE, DIR, COMMAND; anything
 * else in upper case is asked of the tool's lookup, or, where it has none, TOPIC of the ktopic that
 * lies beside it. "-- " in front: only behind "--".
 *
 * A lookup may ask a broker. Whatever becomes of that, it is over 150 ms after the start: people
 * wait for this with a finger on a key.
 */
#ifndef KCORE_CLI_COMPLETE_H
#define KCORE_CLI_COMPLETE_H

#include "cli/opt.h"

enum { COMPLETE_MS = 150 };

struct complete {
    const char *word;  /* as it is typed, all of it */
    const char *typed; /* the part that is to be completed */
};

/* Offers a word that begins with what is typed; others, and those that no shell could take for
 * one word, are passed over. about may be NULL. */
void complete_offer(const struct complete *c, const char *candidate, const char *about);

/* What opt_main does for --complete: argv are the WORDs. The exit status. */
int complete_main(const struct opt_tool *t, int argc, char **argv, void *own, void *common);

#endif
