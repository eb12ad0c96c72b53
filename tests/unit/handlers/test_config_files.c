/* test_config_files.c - the directory beside the configuration file: order, merging, and what is refused. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/config.h"
#include "reactor/places.h"
#include "tests/tap.h"

static char dir[] = "/tmp/crisp-config.XXXXXX";
static struct config c;
static struct err e;

static const char *at(const char *name)
{
	static char path[2][256];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	ok(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int load(void)
{
	config_free(&c);
	return config_load(&c, at("config.yaml"), &e);
}

static void refused(const char *name, const char *why)
{
	char want[512];

	snprintf(want, sizeof(want), "%s%s", at(name), why);
	ok(load() < 0 && e.code == ERR_INVALID_ARGUMENT);
	is_str(e.msg, want);
}

static void later_files_replace_values(void)
{
	put("config.yaml", "network: cni\nwatchdog: 60\ncni: {bin_dirs: [/a, /b], conf_dir: /main}\n"
			   "runtimes:\n  runc: {path: /runc, args: [--debug]}\n");
	ok(load() == 0 && c.files.n == 1);
	ok(mkdir(at("config.d"), 0755) == 0);
	put("config.d/20-b.yaml", "network: native\ncni: {bin_dirs: [/c]}\n");
	put("config.d/10-a.yaml", "network: auto\nselinux: true\n"
				  "runtimes:\n  runc: {create_timeout: 7}\n  crun: {inherit: runc, path: /crun}\n");
	put("config.d/30-empty.yaml", "# nothing\n");
	put("config.d/.hidden.yaml", "nonsense: 1\n");
	put("config.d/40-old.yaml.rpmsave", "nonsense: 1\n");
	ok(load() == 0 && c.files.n == 4);
	is_str(c.files.at[1], at("config.d/10-a.yaml"));
	is_str(c.files.at[3], at("config.d/30-empty.yaml"));
	is_str(c.network, "native");
	ok(c.selinux && c.watchdog_s == 60);
	ok(c.cni.bin_dirs.n == 1);
	is_str(c.cni.conf_dir, "/main");
	ok(c.runtimes.n == 2 && c.runtimes.handlers[0].options.args.n == 1);
	ok(c.runtimes.handlers[0].options.create_timeout_ms == 7000);
	is_str(c.runtimes.handlers[0].path, "/runc");
	is_str(c.runtimes.handlers[1].path, "/crun");
	ok(c.runtimes.handlers[1].options.create_timeout_ms == 7000);
}

static void faults_name_the_file(void)
{
	static char deep[200 << 10]; /* libyaml needs minutes for it */

	put("config.d/30-empty.yaml", "root: /r\nnonsense: 1\n");
	refused("config.d/30-empty.yaml", ":2: unknown key nonsense");
	put("config.d/30-empty.yaml", "\nwatchdog: 3\n");
	refused("config.d/30-empty.yaml", ":2: watchdog is 0 or at least 10 seconds");
	put("config.d/30-empty.yaml", "a: 1\n---\nb: 2\n");
	ok(load() < 0);
	put("config.d/30-empty.yaml", "runtime: {default: crun}\n---\nselinux: true\n");
	refused("config.d/30-empty.yaml", ":3: a second document: one is expected");
	memset(deep, '[', sizeof(deep) - 1);
	memcpy(deep, "cni:\n  ", 7);
	put("config.d/30-empty.yaml", deep);
	refused("config.d/30-empty.yaml", ":2: more than 16 levels");
	put("config.d/30-empty.yaml", "");
	ok(load() == 0);
}

static void only_safe_files_are_read(void)
{
	const char *file = "config.d/30-empty.yaml";

	ok(chmod(at(file), 0666) == 0);
	refused(file, ": every user may write to it");
	ok(chmod(at(file), 0644) == 0 && chmod(at("config.d"), 0777) == 0);
	refused("config.d", ": every user may write to it");
	ok(chmod(at("config.d"), 0755) == 0);
	if (geteuid() == 0) {
		ok(chown(at(file), 1234, 0) == 0);
		refused(file, ": it belongs to user 1234, and not to root");
	}
	ok(unlink(at(file)) == 0 && mkfifo(at(file), 0644) == 0);
	ok(load() < 0 && strstr(e.msg, "30-empty.yaml: not a regular file"));
	ok(unlink(at(file)) == 0 && symlink("/nowhere", at(file)) == 0);
	ok(load() < 0 && strstr(e.msg, "30-empty.yaml: No such file"));
	ok(unlink(at(file)) == 0 && load() == 0);
}

static void number_and_size_are_bounded(void)
{
	static char big[CONFIG_BYTES_MAX];
	char name[64];

	memset(big, '#', sizeof(big) - 1);
	put("config.d/90-big.yaml", big);
	ok(load() < 0 && strstr(e.msg, "90-big.yaml: not a regular file of at most"));
	unlink(at("config.d/90-big.yaml"));
	for (int i = 0; i < 63; i++) {
		snprintf(name, sizeof(name), "config.d/5%02d.yaml", i);
		put(name, "");
	}
	refused("config.d", ": more than 64 files *.yaml");
	unlink(at(name));
	ok(load() == 0 && c.files.n == 65);
}

/* Of the copy of what was ready, and of files with other names, no directory is read. */
static void other_names_have_no_directory(void)
{
	put("config.ready", "network: cni\n");
	ok(mkdir(at("config.ready.d"), 0755) == 0);
	put("config.ready.d/a.yaml", "nonsense: 1\n");
	config_free(&c);
	ok(config_load(&c, at("config.ready"), &e) == 0 && c.files.n == 1);
}

int main(void)
{
	char command[64];

	ok(mkdtemp(dir) != NULL);
	later_files_replace_values();
	faults_name_the_file();
	only_safe_files_are_read();
	number_and_size_are_bounded();
	other_names_have_no_directory();
	config_free(&c);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ok(system(command) == 0);
	return tap_end();
}
