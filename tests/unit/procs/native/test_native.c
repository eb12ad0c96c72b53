/* test_native.c - what is native, and the plan that is made of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/native/native.h"
#include "reactor/own.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static struct arena *arena;

/* As spec_make() writes it; a test changes a member by its path. */
static json_t *good(void)
{
	static const char text[] =
		"{'ociVersion':'1.0.2','root':{'path':'rootfs','readonly':true},'annotations':{},"
		"'process':{'terminal':false,"
		"'user':{'uid':7,'gid':8,'additionalGids':[9,10]},'args':['sh','-c','x y'],'env':['PATH=/bin','A='],"
		"'cwd':'/w','capabilities':{'bounding':['CAP_KILL'],'effective':['CAP_KILL'],'permitted':['CAP_KILL']},"
		"'noNewPrivileges':true,'oomScoreAdj':-5},"
		"'mounts':[{'destination':'/proc','type':'proc','source':'proc',"
		"'options':['nosuid']},{'destination':'/dev','type':'tmpfs','source':'tmpfs','options':['nosuid',"
		"'strictatime','mode=755']},{'destination':'/v','type':'bind','source':'/host','options':['rbind',"
		"'rslave','rro']}],'linux':{'cgroupsPath':'/g/c',"
		"'resources':{'devices':[{'allow':false,'access':'rwm'}],"
		"'cpu':{'shares':1024,'quota':5000,'period':10000},'memory':{'limit':1000,'swap':3000}},'devices':[],"
		"'namespaces':[{'type':'mount'},{'type':'pid'},{'type':'network','path':'/run/netns/n'}],"
		"'maskedPaths':['/proc/kcore'],'readonlyPaths':['/proc/sys'],'rootfsPropagation':'rslave'}}";
	char *json = arena_strdup(arena, text);
	struct err e;

	for (char *at = json; (at = strchr(at, '\'')); at++)
		*at = '"';
	return json_parse(json, strlen(json), "good", &e);
}

/* "linux.seccomp": the member is set to this JSON. */
static json_t *with(const char *path, const char *value)
{
	json_t *config = good(), *at = config;
	char *words = arena_strdup(arena, path), *save = NULL, *last = strtok_r(words, ".", &save), *word;
	struct err e;

	while ((word = strtok_r(NULL, ".", &save))) {
		at = json_is_array(at) ? json_array_get(at, (size_t)(last[0] - '0')) : json_object_get(at, last);
		last = word;
	}
	if (json_is_array(at))
		json_array_set_new(at, (size_t)(last[0] - '0'), json_parse(value, strlen(value), "value", &e));
	else
		json_object_set_new(at, last, json_parse(value, strlen(value), "value", &e));
	return config;
}

static const char *refusal(const char *path, const char *value)
{
	auto_json json_t *config = with(path, value);
	const char *what, *reason = native_refuses(config, arena, &what);

	return reason ? reason : "";
}

/* ---- what is native ---- */

static void what_spec_makes_is_native(void)
{
	auto_json json_t *config = good();
	const char *what;

	ok(native_refuses(config, arena, &what) == NULL);
}

static void what_is_not_has_a_reason(void)
{
	static const char *const cases[][3] = {
		{ "hooks", "{}", "hooks" },
		{ "surprise", "1", "other" },
		{ "process.selinuxLabel", "7", "other" },
		{ "process.rlimits", "[]", "other" },
		{ "process.scheduler", "{}", "other" },
		{ "process.user.umask", "18", "other" },
		{ "linux.mountLabel", "{}", "other" },
		{ "linux.uidMappings", "[]", "user namespace" },
		{ "linux.intelRdt", "{}", "RDT" },
		{ "linux.netDevices", "{}", "network devices" },
		{ "linux.sysctl", "{}", "other" },
		{ "linux.cgroupsPath", "\"a.slice:crisp:1\"", "systemd" },
		{ "linux.namespaces.1", "{\"type\":\"user\",\"path\":\"/u\"}", "user namespace" },
		{ "linux.namespaces.1", "{\"type\":\"time\"}", "namespace" },
		{ "linux.namespaces.2", "{\"type\":\"network\"}", "namespace" },
		{ "linux.resources.pids", "{\"limit\":1}", "other" },
		{ "linux.resources.memory.kernel", "1", "other" },
		{ "linux.seccomp", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/s\"}", "other" },
		{ "linux.seccomp", "{\"syscalls\":[{\"action\":\"SCMP_ACT_NOTIFY\"}]}", "seccomp" },
		{ "linux.seccomp", "{\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}", "seccomp" },
		{ "linux.devices", "[{\"path\":\"/etc/x\",\"type\":\"c\",\"major\":1,\"minor\":3}]", "device" },
		{ "mounts.2.destination", "\"/proc/sys\"", "mount" },
		{ "mounts.2.destination", "\"relative\"", "mount" },
		{ "mounts.2.options", "[\"rbind\",\"idmap\"]", "mount" },
		{ "mounts.2.type", "\"nfs\"", "mount" },
		{ "mounts.1.type", "\"bind\"", "mount" },
		{ "mounts.1.options", "[\"uid=5\"]", "mount" },
		{ "mounts.0", "{\"destination\":\"/p\",\"type\":\"proc\",\"source\":\"proc\"}", "mount" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		is_str(refusal(cases[i][0], cases[i][1]), cases[i][2]);
}

/* ---- the plan ---- */

static void *made; /* the last plan */
static size_t made_size;

static const struct plan *plan_of(const json_t *config)
{
	const json_t *linux_ = json_object_get(config, "linux");
	struct making m;
	struct stat st;
	struct err e;
	int fd;

	if (made)
		munmap(made, made_size);
	making_begin(&m, PLAN_RUN, arena, "/pod");
	ok(plan_process(&m, json_object_get(config, "process"), "id", &e) == 0);
	m.head.rootfs = making_text(&m, "/rootfs");
	plan_namespaces(&m, linux_);
	plan_run_limits(&m, json_object_get(linux_, "resources"));
	ok(plan_mounts(&m, config, &e) == 0 && plan_devices(&m, linux_, &e) == 0);
	fd = making_end(&m, &e);
	making_free(&m);
	ok(fd >= 0 && fstat(fd, &st) == 0);
	made_size = (size_t)st.st_size;
	made = mmap(NULL, made_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ok(write(fd, "x", 1) < 0); /* sealed */
	close(fd);
	return made;
}

static void a_plan_is_accepted_and_says_the_same(void)
{
	auto_json json_t *config = good();
	const struct plan *p = plan_of(config);
	const union plan_word *args = plan_at(p, p->args);
	const struct plan_mount *m = plan_at(p, p->mounts);
	const struct plan_namespace *n = plan_at(p, p->namespaces);

	ok(plan_check(p, made_size) == NULL);
	ok(p->uid == 7 && p->gid == 8 && p->groups.n == 2 && p->oom_score_adj == -5);
	ok(p->args.n == 3 && args[3].at == 0);
	is_str(plan_text(p, (uint32_t)args[2].at), "x y");
	is_str(plan_text(p, p->keyring), "_ses.id");
	ok(p->flags == (PLAN_NO_NEW_PRIVS | PLAN_ROOT_READONLY | PLAN_NEW_PID));
	ok(p->bounding == 1ull << 5 && p->inheritable == 0);
	ok(p->mounts.n == 3 && m[1].options.n == 2 && m[1].set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
	is_str(plan_text(p, ((const struct plan_option *)plan_at(p, m[1].options))[0].key), "source");
	ok(m[2].kind == PLAN_MOUNT_BIND && m[2].set == MOUNT_ATTR_RDONLY && m[2].propagation == MS_SLAVE);
	ok(m[2].flags == (PLAN_MOUNT_RECURSIVE | PLAN_MOUNT_ATTR_RECURSIVE));
	ok(p->namespaces.n == 1 && n[0].flag == CLONE_NEWNET && p->root_propagation == MS_SLAVE);
	ok(p->masked.n == 1 && p->readonly.n == 1 && p->devices.n == 6 && p->joins.n == 0);
}

static const char *written(const struct plan *p, const char *file)
{
	const struct plan_write *w = plan_at(p, p->writes);

	for (uint32_t i = 0; i < p->writes.n; i++) {
		const char *path = plan_text(p, w[i].path), *slash = strrchr(path, '/');

		if (strcmp(slash + 1, file) == 0)
			return plan_text(p, w[i].text);
	}
	return "";
}

/* The context of a new mount; "": it has none. */
static const char *context_of(const struct plan *p, const char *target)
{
	const struct plan_mount *m = plan_at(p, p->mounts);

	for (uint32_t i = 0; i < p->mounts.n; i++) {
		const struct plan_option *o = plan_at(p, m[i].options);

		for (uint32_t k = 0; strcmp(plan_text(p, m[i].target), target) == 0 && k < m[i].options.n; k++)
			if (strcmp(plan_text(p, o[k].key), "context") == 0)
				return plan_text(p, o[k].value);
	}
	return "";
}

static void labels_are_those_of_selinux(void)
{
	auto_json json_t *config = with("linux.mountLabel", "\"u:o:file_t:s0:c1,c2\"");
	const struct plan *p;

	json_object_set_new(json_object_get(config, "process"), "selinuxLabel", json_string("u:r:t:s0:c1,c2"));
	p = plan_of(config);
	ok(plan_check(p, made_size) == NULL);
	is_str(plan_text(p, p->selinux), "u:r:t:s0:c1,c2");
	is_str(plan_text(p, p->file_label), "u:o:file_t:s0:c1,c2");
	is_str(context_of(p, "/dev"), "u:o:file_t:s0:c1,c2");
	is_str(context_of(p, "/proc"), "");
	is_str(context_of(p, "/v"), "");
}

static void limits_are_those_of_v2(void)
{
	auto_json json_t *config = good();
	const struct plan *p = plan_of(config);

	is_str(written(p, "cpu.weight"), "100");
	is_str(written(p, "cpu.max"), "5000 10000");
	is_str(written(p, "memory.max"), "1000");
	is_str(written(p, "memory.swap.max"), "2000");
	ok(p->device_program.n > 0 && p->device_group);
}

static void a_plan_that_is_cut_or_bent_is_refused(void)
{
	auto_json json_t *config = good();
	const struct plan *p = plan_of(config);
	auto_free char *copy = own_must(malloc(made_size));
	struct plan *bent = (struct plan *)copy;

	memcpy(copy, p, made_size);
	ok(plan_check(copy, made_size) == NULL);
	ok(plan_check(copy, made_size - 8) != NULL);
	bent->version++;
	is_str(plan_check(copy, made_size), "it is of another version");
	bent->version--;
	bent->cwd = bent->size;
	ok(plan_check(copy, made_size) != NULL);
	bent->cwd = p->cwd;
	bent->mounts.n = 1 << 20;
	ok(plan_check(copy, made_size) != NULL);
	bent->mounts = p->mounts;
	bent->args.n++; /* its end is no end any more */
	ok(plan_check(copy, made_size) != NULL);
	bent->args.n--;
	((struct plan_mount *)plan_at(bent, bent->mounts))[0].fd = 3;
	ok(plan_check(copy, made_size) != NULL);
}

/* ---- device rules ---- */

/* Interprets the few instructions that device_program() uses. */
static bool allowed(const struct plan_code *code, uint32_t n, uint32_t type, uint32_t access, uint32_t major,
		    uint32_t minor)
{
	const struct bpf_insn *in = (const struct bpf_insn *)code;
	const uint32_t context[3] = { access << 16 | type, major, minor };
	uint64_t r[11] = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		uint64_t *dst = &r[in[i].dst_reg], src = BPF_SRC(in[i].code) == BPF_X ? r[in[i].src_reg]
									     : (uint64_t)(int64_t)in[i].imm;

		switch (in[i].code) {
		case BPF_LDX | BPF_MEM | BPF_W: *dst = context[in[i].off / 4]; break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
		case BPF_ALU64 | BPF_MOV | BPF_K: *dst = src; break;
		case BPF_ALU64 | BPF_AND | BPF_K: *dst &= src; break;
		case BPF_ALU64 | BPF_RSH | BPF_K: *dst >>= src; break;
		case BPF_JMP | BPF_JNE | BPF_K: i += *dst != src ? (uint32_t)in[i].off : 0; break;
		case BPF_JMP | BPF_JEQ | BPF_K: i += *dst == src ? (uint32_t)in[i].off : 0; break;
		case BPF_JMP | BPF_EXIT: return r[0];
		default: ok(!"an instruction that is not expected"); return false;
		}
	}
	ok(!"a program without an end");
	return false;
}

static void the_last_rule_that_fits_decides(void)
{
	enum { BLOCK = BPF_DEVCG_DEV_BLOCK, CHAR = BPF_DEVCG_DEV_CHAR, READ = BPF_DEVCG_ACC_READ,
	       WRITE = BPF_DEVCG_ACC_WRITE, MKNOD = BPF_DEVCG_ACC_MKNOD };
	static const char text[] = "[{\"allow\":false,\"access\":\"rwm\"},"
				   "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"r\"},"
				   "{\"allow\":true,\"type\":\"b\",\"major\":8,\"access\":\"rw\"},"
				   "{\"allow\":false,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"w\"},"
				   "\"c 1:3 rwm\",\"c *:* m\"]";
	struct err e;
	auto_json json_t *rules = json_parse(text, strlen(text), "rules", &e);
	uint32_t n;
	const struct plan_code *code = device_program(arena, rules, &n);

	ok(allowed(code, n, CHAR, READ | WRITE, 1, 3) && !allowed(code, n, BLOCK, READ, 1, 3));
	ok(!allowed(code, n, CHAR, READ, 1, 1) && allowed(code, n, CHAR, MKNOD, 1, 1));
	ok(allowed(code, n, CHAR, READ, 10, 229) && !allowed(code, n, CHAR, READ | WRITE, 10, 229));
	ok(!allowed(code, n, CHAR, READ, 10, 230));
	ok(allowed(code, n, BLOCK, READ | WRITE, 8, 0) && !allowed(code, n, BLOCK, MKNOD, 8, 0));
	ok(allowed(code, n, BLOCK, READ, 8, 1) && !allowed(code, n, BLOCK, READ | WRITE, 8, 1));
}

/* ---- the plan of a container, kept for its execs ---- */

static bool kept_after(const char *bundle, const void *bytes, size_t size)
{
	const char *path = arena_printf(arena, "%s/plan", bundle);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ok(write(fd, bytes, size) == (ssize_t)size);
	close(fd);
	fd = plan_kept(bundle, arena);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void a_plan_is_kept_whole_or_not_at_all(void)
{
	auto_json json_t *config = good();
	const struct plan *p = plan_of(config);
	const char *bundle = world_dir();
	auto_free unsigned char *bent = own_must(malloc(made_size + 1));
	struct making m;
	struct err e;
	int fd;

	ok(plan_kept(bundle, arena) < 0);
	making_begin(&m, PLAN_EXEC, arena, "/pod");
	ok(plan_process(&m, json_object_get(config, "process"), "id", &e) == 0);
	close(making_end(&m, &e));
	plan_keep(&m, bundle);
	fd = plan_kept(bundle, arena);
	ok(fd >= 0 && pread(fd, bent, m.bytes.len, 0) == (ssize_t)m.bytes.len);
	ok(memcmp(bent, m.bytes.at, m.bytes.len) == 0);
	close(fd);
	making_free(&m);
	memcpy(bent, p, made_size);
	bent[made_size] = 0;
	ok(kept_after(bundle, bent, made_size));
	ok(!kept_after(bundle, bent, made_size + 1) && !kept_after(bundle, bent, made_size - 1));
	for (size_t n = 0; n < sizeof(*p); n++)
		ok(!kept_after(bundle, bent, n));
	for (size_t at = 0; at < 12; at++) { /* the magic, the version and the size */
		memcpy(bent, p, made_size);
		bent[at] ^= 0x41;
		ok(!kept_after(bundle, bent, made_size));
	}
	ok(unlink(arena_printf(arena, "%s/plan", bundle)) == 0);
}

static const char *word(const struct plan *p, struct plan_list list, uint32_t i)
{
	return plan_text(p, (uint32_t)((union plan_word *)plan_at(p, list))[i].at);
}

/* An exec with a terminal has TERM, as an exec by the fallback has it; the list is made beforehand. */
static void the_environment_of_a_terminal_is_there(void)
{
	auto_json json_t *config = good();
	json_t *process = json_object_get(config, "process"), *env = json_object_get(process, "env");
	size_t n = json_array_size(env);
	const struct plan *p = plan_of(config);

	ok(p->env.n == n && p->env_terminal.n == n + 1);
	is_str(word(p, p->env_terminal, (uint32_t)n), "TERM=xterm");
	is_str(word(p, p->env_terminal, 0), json_string_value(json_array_get(env, 0)));
	json_array_append_new(env, json_string("TERM=dumb"));
	p = plan_of(config);
	ok(p->env.n == n + 1 && p->env_terminal.n == 0);
}

static void words_are_a_plan_of_their_own(void)
{
	static const char text[] = "{\"args\":[\"a\",\"b c\"],\"terminal\":true}";
	struct err e;
	auto_json json_t *process = json_parse(text, strlen(text), "process", &e);
	struct making m;

	making_begin(&m, PLAN_WORDS, arena, "/pod");
	plan_words(&m, process);
	close(making_end(&m, &e));
	ok(plan_check(m.bytes.at, m.bytes.len) == NULL);
	ok(m.head.args.n == 2 && m.head.flags == PLAN_TERMINAL);
	((struct plan *)m.bytes.at)->args.n = 0;
	ok(plan_check(m.bytes.at, m.bytes.len) != NULL);
	making_free(&m);
}

/* What the kernel's verifier asks for first: every instruction can be reached, and every path comes to an end. */
static bool all_reached(const struct plan_code *code, uint32_t n)
{
	const struct bpf_insn *in = (const struct bpf_insn *)code;
	auto_free bool *seen = own_must(calloc(n + 1, 1));

	seen[0] = true;
	for (uint32_t i = 0; i < n; i++) {
		bool ends = in[i].code == (BPF_JMP | BPF_EXIT);

		if (!seen[i])
			return false;
		if (!ends && BPF_CLASS(in[i].code) == BPF_JMP)
			seen[i + 1 + (uint32_t)in[i].off] = true;
		if (!ends)
			seen[i + 1] = true;
	}
	return !seen[n];
}

/* True too where this process may not load programs. */
static bool kernel_takes(const struct plan_code *code, uint32_t n)
{
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insns = (uint64_t)(uintptr_t)code,
				.insn_cnt = n, .license = (uint64_t)(uintptr_t)"Apache-2.0" };
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == EPERM || errno == ENOSYS;
}

static void the_kernel_takes_the_program(void)
{
	static const char *const texts[] = {
		"[]",
		"[{\"allow\":false,\"access\":\"rwm\"}]",
		"[{\"allow\":true,\"access\":\"rwm\"},\"c 1:3 rwm\"]",
		"[{\"allow\":false,\"type\":\"a\",\"access\":\"rwm\"},"
		"{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"r\"},"
		"{\"allow\":false,\"access\":\"rw\"},\"c *:* m\"]",
		"[\"c 1:3 rwm\",{\"allow\":true},{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"b\"}]",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err e;
		auto_json json_t *rules = json_parse(texts[i], strlen(texts[i]), "rules", &e);
		uint32_t n;
		const struct plan_code *code = device_program(arena, rules, &n);

		ok(all_reached(code, n) && kernel_takes(code, n));
	}
}

int main(void)
{
	char path[300], text[400];
	struct cgroup_config cfg = { "/crisp", "cgroupfs", path };
	struct err e;
	FILE *f;

	arena = arena_new();
	snprintf(path, sizeof(path), "%s/mountinfo", world_dir());
	snprintf(text, sizeof(text), "1 0 0:25 / %s rw - cgroup2 cgroup2 rw\n", world_dir());
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
	ok(cgroup_open(&cfg, &e) == 0 && cgroup_is_v2());
	what_spec_makes_is_native();
	what_is_not_has_a_reason();
	a_plan_is_accepted_and_says_the_same();
	labels_are_those_of_selinux();
	limits_are_those_of_v2();
	a_plan_that_is_cut_or_bent_is_refused();
	the_last_rule_that_fits_decides();
	a_plan_is_kept_whole_or_not_at_all();
	the_environment_of_a_terminal_is_there();
	words_are_a_plan_of_their_own();
	the_kernel_takes_the_program();
	arena_free(arena);
	return tap_end();
}
