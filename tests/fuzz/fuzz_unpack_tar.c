/* fuzz_unpack_tar.c - any bytes as a layer: the first byte is for the mutator alone, the rest is inflated and unpacked
 * into a directory, and reported. Links the files of images/unpack/ except main.c. Nothing may appear outside of the
 * directory, the report must be readable, and the sum that is taken on the way is that of the files. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/unpack/extract.h"
#include "images/unpack/sum.h"
#include "images/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max); /* libFuzzer's own */

static char top[64];
static int top_fd = -1, nothing = -1;

static void clean_up(void)
{
	if (rmdir(top) < 0)
		abort();
}

static void open_top(void)
{
	if (top_fd >= 0)
		return;
	strcpy(top, "/dev/shm/fuzz-unpack-XXXXXX");
	umask(0);
	nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!mkdtemp(top) || (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	atexit(clean_up);
}

static void check_report(const struct report *r)
{
	struct buf once = { 0 };
	struct report again;
	struct err e;

	report_open(&again);
	report_encode(r, &once);
	if (report_decode(&again, (const char *)once.at, once.len, &e) < 0)
		abort();
	if (report_self_contained(r) != report_self_contained(&again))
		abort();
	report_close(&again);
	buf_free(&once);
}

static void check_sum(int fs, struct contents *contents)
{
	char known[DIGEST_SIZE], read[DIGEST_SIZE];
	struct err e;

	contents_sort(contents);
	if (sum_tree(fs, false, contents, known, &e) < 0 || sum_tree(fs, false, NULL, read, &e) < 0 ||
	    strcmp(known, read) != 0)
		abort();
}

static void untar(int blob, size_t n)
{
	const struct inflate_spec stream = {
		.source = { blob, nothing, n, n, false },
		.digest = "",
		.diff_id = "",
		.max_bytes = 64 << 20,
	};
	struct inflate *z = inflate_open(&stream);
	struct contents contents = { 0 };
	struct extracted x;
	struct report report;
	struct tar tar;
	struct err e;
	int fs;

	if (mkdirat(top_fd, "fs", 0755) < 0 || (fs = openat(top_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	report_open(&report);
	tar_open(&tar, z);
	if (extract_all(&(struct extract_spec){ .root = fs, .max_file_bytes = 1 << 20, .report = &report,
						.contents = &contents }, &tar, &x, &e) == 0) {
		check_report(&report);
		check_sum(fs, &contents);
	}
	contents_free(&contents);
	tar_close(&tar);
	report_close(&report);
	inflate_close(z);
	close(fs);
	if (tree_remove(top_fd, "fs", &e) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct stat st;
	int blob;

	open_top();
	if (n == 0)
		return 0;
	blob = memfd_create("blob", MFD_CLOEXEC);
	if (blob < 0 || write(blob, data + 1, n - 1) != (ssize_t)(n - 1))
		abort();
	untar(blob, n - 1);
	close(blob);
	if (fstat(top_fd, &st) < 0 || st.st_nlink != 2)
		abort();
	return 0;
}

/* Corrects the checksums of plain tars: without this almost no mutation gets past the first header. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	n = LLVMFuzzerMutate(data, n, max);
	if (n == 0 || data[0] % 3 != 0 || seed % 16 == 0)
		return n;
	for (uint8_t *h = data + 1; h + TAR_BLOCK <= data + n; h += TAR_BLOCK) {
		unsigned sum = 0;

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (int i = 0; i < TAR_BLOCK; i++)
			sum += h[i];
		snprintf((char *)h + 148, 8, "%06o", sum);
	}
	return n;
}
