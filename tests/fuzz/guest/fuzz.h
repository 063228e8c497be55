/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_BYTES 70000 /* of a payload */
#define NAME_SIZE 16 /* IFNAMSIZ, whose header cannot be mixed with others */

/*
 * Reports a finding: a sentence that says what is wrong. Ends the program, after printing the
 * operations that led to it.
 */
__attribute__((noreturn, format(printf, 1, 2))) void found(const char *format, ...);

/* The tool itself cannot go on. */
__attribute__((noreturn)) void broken(const char *what);

void pause_ms(unsigned int ms);
uint64_t now_ms(void);

/* text.c: these return the length, or -1 with errno. Text is NUL-terminated. */
long read_file(const char *path, char *buf, size_t size);
__attribute__((format(printf, 3, 4))) long read_text(char *buf, size_t size, const char *format, ...);
long write_file(const char *path, const void *data, size_t len);
bool has_word(const char *text, const char *word);

/* netlink.c */
enum where { HERE, PEER };

void netlink_open(enum where where);
/* The kernel's answer to a request: 0, a negative errno, or 1 for none. */
int netlink_ask(enum where where, unsigned int type, unsigned int flags, const void *body, size_t len);
void netlink_raw(const void *message, size_t len);
/* Calls `each` for all links of the own namespace. */
void netlink_links(void (*each)(const unsigned char *body, size_t len));
/* The attribute of this number among `len` bytes of attributes, and the length of its payload. */
const unsigned char *attribute(const void *attrs, size_t len, unsigned int number, size_t *size);
int set_link(enum where where, const char *name, int up);
/*
 * What netlink says about a bond's options, without values that change by themselves; the length,
 * or -1.
 */
long bond_options(const char *name, unsigned char *buf, size_t size);

/* frames.c */
void frames_open(enum where where);
void frames_send(enum where where, const char *name, const char *how, unsigned int seed,
		 unsigned int count, unsigned int linear, const unsigned char *frame, size_t len);
extern unsigned long frames_sent, frames_refused;

/* check.c */
void check(void);
void check_log(void);
void check_open(void);

/* world.c */
void world(void);
void load(const char *parameters);
void traffic(void);
int set_namespace(enum where where);
void set_netns(const char *path);

#endif
