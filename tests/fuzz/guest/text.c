// SPDX-License-Identifier: GPL-2.0
/* Files of sysfs and procfs. */
#include "fuzz.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

long read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;
	size_t len = 0;
	ssize_t got = 0;

	if (fd < 0)
		return -1;
	while (len + 1 < size && (got = read(fd, buf + len, size - 1 - len)) > 0)
		len += got;
	error = errno;
	close(fd);
	errno = error;
	buf[len] = 0;
	return got < 0 ? -1 : (long)len;
}

long read_text(char *buf, size_t size, const char *format, ...)
{
	char path[256];
	va_list arguments;
	long len;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	len = read_file(path, buf, size);
	while (len > 0 && buf[len - 1] == '\n')
		buf[--len] = 0;
	return len;
}

/* One write(2). */
long write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	long written;

	if (fd < 0)
		return -1;
	written = write(fd, data, len);
	error = errno;
	close(fd);
	errno = error;
	return written;
}

bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += len ? len : 1)
		if ((at == text || strchr(" \n", at[-1])) && (!at[len] || strchr(" \n", at[len])))
			return true;
	return false;
}
