/* filter_main.c - oracle-filter PID...: the seccomp programs of processes, as what they answer.
 *
 * For each PID a line "PID<TAB>seccomp ARCH<TAB>ANSWERS". The programs are fetched by ptrace(2),
 * PTRACE_SECCOMP_GET_FILTER, and run for every number of each architecture, with several values in each argument, by an
 * interpreter of classic BPF. A program that has not read an argument on its way to the answer gives that answer for
 * all arguments: then one run is enough, which leaves a hundredth of the work. ANSWERS are ranges of numbers with one
 * answer ("0-12=allow 13=errno:1"); where the arguments decide, "by-arguments:" and a hash of all answers of that
 * number.
 *
 * Specs: seccomp(2), ptrace(2); the kernel's include/uapi/linux/filter.h. Needs CAP_SYS_ADMIN, and no seccomp program
 * of its own. Several programs: the kernel takes the answer with the highest precedence. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRAMS = 8, NUMBERS = 1200, X32 = 0x40000000, ARGUMENTS = 6 };

struct program {
	struct sock_filter *code;
	unsigned len;
};

struct range {
	long from, to;
	char answer[48];
};

/* ---- the interpreter ---- */

static uint32_t alu(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return b < 32 ? a << b : 0;
	case BPF_RSH:
		return b < 32 ? a >> b : 0;
	default: /* BPF_NEG */
		return -a;
	}
}

static int jumps(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return (a & b) != 0;
	}
}

/* `looked` becomes true when an argument is read. */
static uint32_t load(const struct sock_filter *i, const struct seccomp_data *data, const uint32_t *memory, bool *looked)
{
	uint32_t word = 0;

	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		if (i->k <= sizeof(*data) - sizeof(word))
			memcpy(&word, (const char *)data + i->k, sizeof(word));
		*looked = *looked || i->k + sizeof(word) > offsetof(struct seccomp_data, args);
		return word;
	case BPF_MEM:
		return memory[i->k % BPF_MEMWORDS];
	case BPF_LEN:
		return sizeof(*data);
	default: /* BPF_IMM */
		return i->k;
	}
}

/* The kernel has checked the program: it ends, and jumps go forward. */
static uint32_t answer_of(const struct program *p, const struct seccomp_data *data, bool *looked)
{
	uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = { 0 };

	for (unsigned at = 0; at < p->len; at++) {
		const struct sock_filter *i = &p->code[at];
		uint32_t operand = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			a = load(i, data, memory, looked);
			break;
		case BPF_LDX:
			x = load(i, data, memory, looked);
			break;
		case BPF_ST:
			memory[i->k % BPF_MEMWORDS] = a;
			break;
		case BPF_STX:
			memory[i->k % BPF_MEMWORDS] = x;
			break;
		case BPF_ALU:
			a = alu(BPF_OP(i->code), a, operand);
			break;
		case BPF_JMP:
			at += BPF_OP(i->code) == BPF_JA ? i->k : jumps(BPF_OP(i->code), a, operand) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* ---- all programs, all numbers ---- */

/* The smaller value of the action as a signed number wins; the last added program wins a draw. */
static uint32_t answer(const struct program *p, int n, const struct seccomp_data *data, bool *looked)
{
	uint32_t best = SECCOMP_RET_ALLOW;

	for (int i = 0; i < n; i++) {
		uint32_t now = answer_of(&p[i], data, looked);

		if ((int32_t)(now & SECCOMP_RET_ACTION_FULL) < (int32_t)(best & SECCOMP_RET_ACTION_FULL))
			best = now;
	}
	return best;
}

static void name_answer(char *to, size_t size, uint32_t value)
{
	switch (value & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		snprintf(to, size, "allow");
		break;
	case SECCOMP_RET_ERRNO:
		snprintf(to, size, "errno:%u", value & SECCOMP_RET_DATA);
		break;
	case SECCOMP_RET_KILL_PROCESS:
		snprintf(to, size, "kill-process");
		break;
	case SECCOMP_RET_KILL_THREAD:
		snprintf(to, size, "kill-thread");
		break;
	default:
		snprintf(to, size, "%x", value);
	}
}

/* Values that profiles compare arguments with: families of sockets, personalities, clone flags. */
static const uint64_t values[] = {
	0, 1, 2, 8, 16, 0x20000, 0x20008, 38, 40, 0x40000, 0x02000000, 0x04000000, 0x08000000, 0x10000000,
	0x20000000, 0x40000000, 0x7e020000, 0xffffffff, 0xffffffffffffffff,
};
enum { VALUES = sizeof(values) / sizeof(*values) };

static void number_answer(const struct program *p, int n, uint32_t arch, long nr, char *to, size_t size)
{
	struct seccomp_data data = { .nr = (int)nr, .arch = arch };
	bool looked = false;
	uint32_t first = answer(p, n, &data, &looked), hash = first;
	int same = 1;

	for (int argument = 0; looked && argument < ARGUMENTS; argument++)
		for (int v = 0; v < VALUES; v++) {
			uint32_t now;

			memset(data.args, 0, sizeof(data.args));
			data.args[argument] = values[v];
			now = answer(p, n, &data, &looked);
			same = same && now == first;
			hash = (hash ^ now) * 16777619u + (hash >> 15);
		}
	if (same)
		name_answer(to, size, first);
	else
		snprintf(to, size, "by-arguments:%08x", hash);
}

static void print_range(const struct range *r)
{
	printf("%s%ld", r->from ? " " : "", r->from);
	if (r->to != r->from)
		printf("-%ld", r->to);
	printf("=%s", r->answer);
}

static void print_arch(const struct program *p, int n, pid_t pid, const char *name, uint32_t arch, long base)
{
	struct range now = { -1, -1, "" };

	printf("%d\tseccomp %s\t", (int)pid, name);
	for (long nr = 0; nr <= NUMBERS; nr++) {
		char text[48] = "";

		if (nr < NUMBERS)
			number_answer(p, n, arch, base + nr, text, sizeof(text));
		if (now.from >= 0 && strcmp(text, now.answer) == 0) {
			now.to = nr;
			continue;
		}
		if (now.from >= 0)
			print_range(&now);
		now.from = now.to = nr;
		strcpy(now.answer, text);
	}
	putchar('\n');
}

/* ---- fetching ---- */

static int fetch(pid_t pid, struct program *p)
{
	int n = 0, status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 ||
	    waitpid(pid, &status, __WALL) != pid)
		return -1;
	for (; n < PROGRAMS; n++) {
		long len = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, n, NULL);

		if (len < 0)
			break;
		p[n].len = (unsigned)len;
		p[n].code = calloc((size_t)len, sizeof(struct sock_filter));
		if (!p[n].code || ptrace(PTRACE_SECCOMP_GET_FILTER, pid, n, p[n].code) < 0)
			abort();
	}
	if (n < PROGRAMS && errno != ENOENT && errno != EINVAL) /* EINVAL: no program at all */
		n = -1;
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return n;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint32_t arch;
		long base;
	} archs[] = { { "x86_64", AUDIT_ARCH_X86_64, 0 }, { "x32", AUDIT_ARCH_X86_64, X32 },
		      { "i386", AUDIT_ARCH_I386, 0 },	  { "aarch64", AUDIT_ARCH_AARCH64, 0 },
		      { "arm", AUDIT_ARCH_ARM, 0 },	  { "riscv64", AUDIT_ARCH_RISCV64, 0 },
		      { "s390x", AUDIT_ARCH_S390X, 0 },	  { "mips64el", AUDIT_ARCH_MIPSEL64, 0 } };
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		struct program p[PROGRAMS] = { 0 };
		pid_t pid = (pid_t)strtol(argv[i], NULL, 10);
		int n = fetch(pid, p);

		if (n < 0) {
			fprintf(stderr, "oracle-filter: %s: %s\n", argv[i], strerror(errno));
			rc = 1;
			continue;
		}
		for (size_t a = 0; n && a < sizeof(archs) / sizeof(*archs); a++)
			print_arch(p, n, pid, archs[a].name, archs[a].arch, archs[a].base);
		if (!n)
			printf("%d\tseccomp\tnone\n", (int)pid);
		for (int k = 0; k < n; k++)
			free(p[k].code);
	}
	return rc;
}
