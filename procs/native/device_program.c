/* device_program.c - native.h: device rules as a program for cgroup v2.
 *
 * The last rule that fits an access decides; so the program asks the last rule first. An allowing rule fits when it has
 * all the access that is asked for, a denying one when it has any of it. No rule: denied. A rule that fits every access
 * is the end of the program, because the kernel refuses instructions that nothing reaches. (ARCHITECTURE N20)
 * Spec: kernel include/uapi/linux/bpf.h, struct bpf_cgroup_dev_ctx; Documentation/admin-guide/cgroup-v2.rst. */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "procs/native/native.h"

enum { ANY = -1, INSNS_A_RULE = 12, ALL = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD };

struct rule {
	bool allow;
	int type; /* BPF_DEVCG_DEV_*; ANY */
	long long major, minor;
	int access; /* bits BPF_DEVCG_ACC_* */
};

static int access_bits(const char *text)
{
	return (strchr(text, 'r') ? BPF_DEVCG_ACC_READ : 0) | (strchr(text, 'w') ? BPF_DEVCG_ACC_WRITE : 0) |
	       (strchr(text, 'm') ? BPF_DEVCG_ACC_MKNOD : 0);
}

static int type_of(const char *text)
{
	return *text == 'b' ? BPF_DEVCG_DEV_BLOCK : *text == 'c' || *text == 'u' ? BPF_DEVCG_DEV_CHAR : ANY;
}

static long long number_or_any(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0 ? (long long)json_integer_value(v) : ANY;
}

/* A rule of config.json, or a text as the files of v1 have it, which allows. */
static struct rule rule_of(const json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "type"));
	const char *access = json_string_value(json_object_get(v, "access"));
	char kind, major[16], minor[16], words[8];

	if (json_is_string(v) &&
	    sscanf(json_string_value(v), "%c %15[^:]:%15s %7s", &kind, major, minor, words) == 4)
		return (struct rule){ true, type_of(&kind), *major == '*' ? ANY : strtoll(major, NULL, 10),
				      *minor == '*' ? ANY : strtoll(minor, NULL, 10), access_bits(words) };
	return (struct rule){ json_is_true(json_object_get(v, "allow")), type ? type_of(type) : ANY,
			      number_or_any(json_object_get(v, "major")), number_or_any(json_object_get(v, "minor")),
			      access_bits(access ? access : "rwm") };
}

struct code {
	struct bpf_insn *at;
	uint32_t n;
};

static void put(struct code *c, int op, int dst, int src, int off, int imm)
{
	c->at[c->n++] = (struct bpf_insn){ .code = (uint8_t)op, .dst_reg = (uint8_t)dst & 15,
					   .src_reg = (uint8_t)src & 15, .off = (int16_t)off, .imm = imm };
}

/* The kernel gives the context in r1; here r2 is the type, r3 the access, r4 major, r5 minor. */
static void put_start(struct code *c)
{
	put(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
	put(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	put(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	put(c, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	put(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 4, 0);
	put(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, 8, 0);
}

static void put_return(struct code *c, bool allow)
{
	put(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	put(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static bool fits_all(const struct rule *r)
{
	return r->type == ANY && r->major == ANY && r->minor == ANY && r->access == ALL;
}

static void put_rule(struct code *c, const struct rule *r)
{
	uint32_t begin = c->n;

	if (r->type != ANY)
		put(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0, r->type);
	if (r->major != ANY)
		put(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int)r->major);
	if (r->minor != ANY)
		put(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int)r->minor);
	if (r->access != ALL) {
		put(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
		put(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_1, 0, 0, r->allow ? ALL & ~r->access : r->access);
		put(c, BPF_JMP | (r->allow ? BPF_JNE : BPF_JEQ) | BPF_K, BPF_REG_1, 0, 0, 0);
	}
	put_return(c, r->allow);
	for (uint32_t i = begin; i < c->n; i++) /* the jumps lead to the next rule */
		if (BPF_CLASS(c->at[i].code) == BPF_JMP && BPF_OP(c->at[i].code) != BPF_EXIT)
			c->at[i].off = (int16_t)(c->n - i - 1);
}

struct plan_code *device_program(struct arena *arena, const json_t *rules, uint32_t *n)
{
	size_t count = json_array_size(rules);
	struct code c = { .at = arena_zalloc(arena, (count * INSNS_A_RULE + 16) * sizeof(*c.at)) };
	bool last = false;

	_Static_assert(sizeof(struct bpf_insn) == sizeof(struct plan_code), "an instruction is a word of a plan");
	put_start(&c);
	for (size_t i = count; i-- > 0 && !last;) {
		struct rule r = rule_of(json_array_get(rules, i));

		put_rule(&c, &r);
		last = fits_all(&r);
	}
	if (!last)
		put_return(&c, false);
	*n = c.n;
	return (struct plan_code *)c.at;
}
