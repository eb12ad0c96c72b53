/* test_tarout.c - entries that tarout.c writes are read back unchanged by tar.c. */
#include <sys/mman.h>
#include <unistd.h>

#include "images/unpack/tar.h"
#include "images/unpack/tarout.h"
#include "reactor/own.h"
#include "tests/tap.h"

static struct tarout out;
static struct tar in;
static struct inflate *z;
static const struct tar_entry *got;
static int fd = -1, nothing = -1;
static struct err e;

static void begin(void)
{
	int ends[2];

	fd = memfd_create("tar", MFD_CLOEXEC);
	ok(fd >= 0 && pipe(ends) == 0);
	close(ends[1]);
	nothing = ends[0];
	tarout_open(&out, fd);
}

static void put(struct tar_entry entry, const char *data)
{
	entry.size = data ? strlen(data) : 0;
	if (!entry.link)
		entry.link = "";
	ok(tarout_entry(&out, &entry, &e) == 0);
	if (data)
		ok(tarout_data(&out, data, strlen(data), &e) == 0);
}

/* Writes the entries and opens the tar for reading. */
static void turn(void)
{
	struct inflate_spec spec = { .max_bytes = 1 << 30 };
	off_t size;

	ok(tarout_end(&out, &e) == 0);
	tarout_close(&out);
	size = lseek(fd, 0, SEEK_END);
	ok(size % TAR_BLOCK == 0);
	spec.source = (struct input_spec){ fd, nothing, (uint64_t)size, (uint64_t)size, false };
	z = inflate_open(&spec);
	tar_open(&in, z);
}

static bool next(void)
{
	return tar_next(&in, &got, &e) == 1;
}

static bool has_text(const char *want)
{
	char text[4096] = "";
	uint64_t offset;
	const uint8_t *p;
	ssize_t n;

	while ((n = tar_data(&in, &offset, &p, &e)) > 0)
		memcpy(text + offset, p, (size_t)n);
	return n == 0 && strcmp(text, want) == 0;
}

static void end(void)
{
	ok(tar_next(&in, &got, &e) == 0);
	ok(inflate_verify(z, &e) == 0);
	tar_close(&in);
	inflate_close(z);
	close(fd);
	close(nothing);
}

static void plain_entries(void)
{
	begin();
	put((struct tar_entry){ .type = TAR_DIR, .name = "d/", .mode = 01777, .uid = 5, .gid = 6, .mtime = { 77, 0 } },
	    NULL);
	put((struct tar_entry){ .type = TAR_FILE, .name = "d/f", .mode = 04755 }, "hello");
	put((struct tar_entry){ .type = TAR_FILE, .name = "d/empty" }, NULL);
	put((struct tar_entry){ .type = TAR_HARDLINK, .name = "d/g", .link = "d/f" }, NULL);
	put((struct tar_entry){ .type = TAR_SYMLINK, .name = "l", .link = "../x" }, NULL);
	put((struct tar_entry){ .type = TAR_CHAR, .name = "c", .major = 4, .minor = 300 }, NULL);
	put((struct tar_entry){ .type = TAR_FIFO, .name = "p" }, NULL);
	turn();
	ok(next() && got->type == TAR_DIR && got->mode == 01777 && got->uid == 5 && got->gid == 6 &&
	   got->mtime.tv_sec == 77);
	ok(next() && got->type == TAR_FILE && got->mode == 04755 && got->size == 5 && has_text("hello"));
	ok(next() && strcmp(got->name, "d/empty") == 0 && got->size == 0);
	ok(next() && got->type == TAR_HARDLINK && strcmp(got->link, "d/f") == 0);
	ok(next() && got->type == TAR_SYMLINK && strcmp(got->link, "../x") == 0);
	ok(next() && got->type == TAR_CHAR && got->major == 4 && got->minor == 300);
	ok(next() && got->type == TAR_FIFO);
	end();
}

static void what_a_header_cannot_say(void)
{
	char name[300], link[300];
	const struct tar_xattr xattrs[] = { { "user.a", "x\0=\ny", 5 }, { "security.capability", "\1\0\0\2", 4 } };

	memset(name, 'n', sizeof(name));
	memset(link, 'l', sizeof(link));
	name[299] = link[150] = '\0';
	begin();
	put((struct tar_entry){ .type = TAR_SYMLINK, .name = name, .link = link, .uid = 4000000000u, .gid = 3000000 },
	    NULL);
	put((struct tar_entry){ .type = TAR_FILE, .name = "t", .mtime = { 5, 1 }, .xattrs = xattrs, .nxattrs = 2 },
	    "x");
	put((struct tar_entry){ .type = TAR_FILE, .name = "old", .mtime = { -2, 500000000 } }, NULL);
	put((struct tar_entry){ .type = TAR_FILE, .name = "older", .mtime = { -9, 0 } }, NULL);
	turn();
	ok(next() && strcmp(got->name, name) == 0 && strcmp(got->link, link) == 0);
	ok(got->uid == 4000000000u && got->gid == 3000000);
	ok(next() && got->mtime.tv_sec == 5 && got->mtime.tv_nsec == 1 && got->nxattrs == 2);
	ok(got->xattrs[0].size == 5 && memcmp(got->xattrs[0].value, "x\0=\ny", 5) == 0);
	ok(strcmp(got->xattrs[1].name, "security.capability") == 0 && got->xattrs[1].size == 4);
	ok(has_text("x"));
	ok(next() && got->mtime.tv_sec == -2 && got->mtime.tv_nsec == 500000000);
	ok(next() && got->mtime.tv_sec == -9 && got->mtime.tv_nsec == 0);
	end();
}

static void a_name_of_every_length(void)
{
	char name[130];
	bool same = true;

	begin();
	for (size_t n = 90; n < 130; n++) {
		memset(name, 'a', n);
		name[n] = '\0';
		put((struct tar_entry){ .type = TAR_FILE, .name = name }, NULL);
	}
	turn();
	for (size_t n = 90; n < 130; n++)
		same = same && next() && strlen(got->name) == n;
	ok(same);
	end();
}

/* A log that is truncated while it is copied. */
static void a_file_that_became_shorter(void)
{
	int from = memfd_create("from", MFD_CLOEXEC);

	ok(write(from, "abc", 3) == 3 && lseek(from, 0, SEEK_SET) == 0);
	begin();
	ok(tarout_entry(&out, &(struct tar_entry){ .type = TAR_FILE, .name = "f", .link = "", .size = 600 }, &e) == 0);
	ok(tarout_copy(&out, from, &e) == 1);
	put((struct tar_entry){ .type = TAR_FILE, .name = "next" }, "n");
	turn();
	ok(next() && got->size == 600 && has_text("abc"));
	ok(next() && has_text("n"));
	end();
	close(from);
}

int main(void)
{
	plain_entries();
	what_a_header_cannot_say();
	a_name_of_every_length();
	a_file_that_became_shorter();
	return tap_end();
}
