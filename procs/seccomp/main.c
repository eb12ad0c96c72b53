/* main.c - crisp-seccomp: reads linux.seccomp of a config.json from standard input, writes the BPF program in base64 to
 * standard output.
 *
 * Exit codes: 0 success; 65 the profile cannot be compiled beforehand, with the reason on standard error; 71 any other
 * failure. */
#include <linux/filter.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "procs/seccomp/compile.h"
#include "reactor/buf.h"
#include "reactor/own.h"

enum { PROFILE_MAX = 4 << 20 };

static int print_base64(int fd, struct err *e)
{
	auto_free unsigned char *text = NULL;
	struct stat st;
	void *bpf;

	if (fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "size of the filter");
	if (st.st_size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_set(e, ERR_INVALID_ARGUMENT, "it has %lld instructions, and the kernel takes %d",
			       (long long)(st.st_size / (off_t)sizeof(struct sock_filter)), BPF_MAXINSNS);
	bpf = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bpf == MAP_FAILED)
		return err_os(e, ERR_INTERNAL, "map the filter");
	text = own_must(malloc((size_t)st.st_size / 3 * 4 + 5));
	EVP_EncodeBlock(text, bpf, (int)st.st_size);
	munmap(bpf, (size_t)st.st_size);
	return fputs((char *)text, stdout) < 0 || fflush(stdout) ? err_os(e, ERR_INTERNAL, "write") : 0;
}

static int seccomp_run(struct err *e)
{
	auto_json json_t *profile = NULL;
	auto_fd int fd = -1;
	struct buf text = { 0 };
	ssize_t n;

	while ((n = buf_read(&text, 0, 65536)) > 0 && text.len <= PROFILE_MAX)
		;
	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read");
	profile = json_parse_own((const char *)text.at, text.len, "profile", e);
	if (!profile)
		e->code = ERR_INVALID_ARGUMENT;
	buf_free(&text);
	if (!profile || (fd = seccomp_bpf_compile(profile, e)) < 0)
		return -1;
	return print_base64(fd, e);
}

int main(void)
{
	struct err e;

	if (seccomp_run(&e) == 0)
		return 0;
	fprintf(stderr, "%s", e.msg);
	return e.code == ERR_INVALID_ARGUMENT ? EX_DATAERR : EX_OSERR;
}
