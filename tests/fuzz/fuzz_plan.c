/* fuzz_plan.c - plans of crisp-zygote, from both ends.
 *
 * Input: a byte, then data. 'b': the data is a plan, whose magic, version and size are set right; an accepted one is
 * walked as the zygote walks it. Else the data is a config.json: what the whitelist lets pass is compiled, and the
 * zygote must accept it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/native/native.h"
#include "procs/plan.h"
#include "reactor/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sum;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void read_text(const struct plan *p, uint32_t at)
{
	if (at)
		sum += strlen(plan_text(p, at));
}

static void read_texts(const struct plan *p, struct plan_list list)
{
	for (uint32_t i = 0; i < list.n; i++)
		read_text(p, ((uint32_t *)plan_at(p, list))[i]);
}

static void read_words(const struct plan *p, struct plan_list list)
{
	for (uint32_t i = 0; i < list.n; i++)
		read_text(p, (uint32_t)((union plan_word *)plan_at(p, list))[i].at);
	must(((union plan_word *)plan_at(p, list))[list.n].at == 0);
}

static void read_bytes(const struct plan *p, struct plan_list list, size_t record)
{
	const uint8_t *at = plan_at(p, list);

	for (size_t i = 0; i < list.n * record; i++)
		sum += at[i];
}

static void read_mounts(const struct plan *p)
{
	const struct plan_mount *m = plan_at(p, p->mounts);

	for (uint32_t i = 0; i < p->mounts.n; i++) {
		const struct plan_option *o = plan_at(p, m[i].options);

		read_text(p, m[i].target);
		read_text(p, m[i].source);
		read_text(p, m[i].kind == PLAN_MOUNT_NEW ? m[i].type : 0);
		for (uint32_t k = 0; k < m[i].options.n; k++) {
			read_text(p, o[k].key);
			read_text(p, o[k].value);
		}
	}
}

static void read_pairs(const struct plan *p)
{
	const struct plan_write *w = plan_at(p, p->writes);
	const struct plan_namespace *n = plan_at(p, p->namespaces);
	const struct plan_link *l = plan_at(p, p->links);
	const struct plan_device *d = plan_at(p, p->devices);

	for (uint32_t i = 0; i < p->writes.n; i++) {
		read_text(p, w[i].path);
		read_text(p, w[i].text);
	}
	for (uint32_t i = 0; i < p->namespaces.n; i++)
		read_text(p, n[i].path);
	for (uint32_t i = 0; i < p->links.n; i++) {
		read_text(p, l[i].target);
		read_text(p, l[i].path);
	}
	for (uint32_t i = 0; i < p->devices.n; i++)
		read_text(p, d[i].path);
}

static void walk(const struct plan *p)
{
	if (p->kind != PLAN_WRITE)
		read_words(p, p->args);
	if (p->kind == PLAN_RUN || p->kind == PLAN_EXEC) {
		read_words(p, p->env);
		if (p->env_terminal.n)
			read_words(p, p->env_terminal);
	}
	read_text(p, p->apparmor);
	read_text(p, p->keyring);
	read_text(p, p->selinux);
	read_text(p, p->file_label);
	read_text(p, p->device_group);
	read_texts(p, p->joins);
	read_texts(p, p->masked);
	read_texts(p, p->readonly);
	read_bytes(p, p->groups, sizeof(uint32_t));
	read_bytes(p, p->limits, sizeof(struct plan_limit));
	read_bytes(p, p->filter, sizeof(struct plan_code));
	read_bytes(p, p->device_program, sizeof(struct plan_code));
	read_pairs(p);
	read_mounts(p);
}

static void try_bytes(const uint8_t *data, size_t size)
{
	auto_free uint8_t *copy = own_must(malloc(size ? size : 1));
	struct plan *p = (struct plan *)copy;

	if (size)
		memcpy(copy, data, size);
	if (size > sizeof(*p)) {
		p->magic = PLAN_MAGIC;
		p->version = PLAN_VERSION;
		p->size = (uint32_t)size;
		copy[size - 1] = '\0';
	}
	if (!plan_check(copy, size))
		walk(p);
}

static int compile(struct making *m, const json_t *config, struct err *e)
{
	const json_t *linux_ = json_object_get(config, "linux");

	if (plan_process(m, json_object_get(config, "process"), "id", e) < 0)
		return -1;
	m->head.rootfs = making_text(m, "/rootfs");
	plan_namespaces(m, linux_);
	plan_run_limits(m, json_object_get(linux_, "resources"));
	if (plan_mounts(m, config, e) < 0 || plan_devices(m, linux_, e) < 0)
		return -1;
	return making_end(m, e);
}

static void try_config(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct err e;
	auto_json json_t *config = json_parse((const char *)data, size, "config.json", &e);
	const char *what;
	struct making m;
	struct stat st;
	int fd;

	if (config && json_is_object(config) && !native_refuses(config, a, &what)) {
		making_begin(&m, PLAN_RUN, a, "/group");
		fd = compile(&m, config, &e);
		making_free(&m);
		if (fd >= 0) {
			void *at;

			must(fstat(fd, &st) == 0);
			at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
			must(at != MAP_FAILED && !plan_check(at, (size_t)st.st_size));
			walk(at);
			munmap(at, (size_t)st.st_size);
			close(fd);
		}
	}
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 'b')
		try_bytes(data + 1, size - 1);
	else if (size)
		try_config(data + 1, size - 1);
	return 0;
}
