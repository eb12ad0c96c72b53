/* test_trim.c - clean pages are dropped, and all memory keeps its content. */
#include "reactor/trim.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <sys/mman.h>

#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"

static long field_kib(const char *name)
{
	auto_file FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	size_t n = strlen(name);

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, n) == 0)
			return strtol(line + n, NULL, 10);
	return -1;
}

static const char *sha256_of_abc(void)
{
	static char hex[65];
	unsigned char d[32];
	unsigned n = sizeof(d);

	EVP_Digest("abc", 3, d, &n, EVP_sha256(), NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", d[i]);
	return hex;
}

static void libraries_work_on(void)
{
	long before, after;
	int64_t t0;

	ok(curl_global_init(CURL_GLOBAL_ALL) == 0);
	before = field_kib("Rss:");
	t0 = loop_mono_ns();
	trim_memory();
	printf("# took %lld us\n", (long long)(loop_mono_ns() - t0) / 1000);
	after = field_kib("Rss:");
	printf("# resident %ld KiB, then %ld KiB\n", before, after);
	ok(after > 0 && after + 1024 < before);
	is_str(sha256_of_abc(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ok(strstr(curl_version(), "libcurl/"));
	curl_global_cleanup();
}

/* A private file mapping that was written and then made read-only, as the dynamic linker does with relocations. */
static void written_pages_stay(void)
{
	char path[] = "/tmp/crisp-test-XXXXXX";
	auto_fd int fd = mkstemp(path);
	char *p;

	unlink(path);
	ok(ftruncate(fd, 8192) == 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	strcpy(p, "relocated");
	ok(mprotect(p, 8192, PROT_READ) == 0);
	trim_memory();
	is_str(p, "relocated");
	munmap(p, 8192);
}

static void the_heap_stays(void)
{
	char *kept = own_must(strdup("kept"));
	char *big = own_must(malloc(100000));

	memset(big, 1, 100000);
	free(big);
	trim_memory();
	is_str(kept, "kept");
	free(kept);
}

int main(void)
{
	libraries_work_on();
	written_pages_stay();
	the_heap_stays();
	return tap_end();
}
