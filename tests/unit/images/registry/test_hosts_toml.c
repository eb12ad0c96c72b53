/* test_hosts_toml.c - the hosts that serve a registry's images, and their order. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/registry/hosts_toml.h"
#include "tests/tap.h"

static struct arena *arena;
static struct err fault;
static struct hosts hosts;

static int parse(const char *text)
{
	return hosts_toml_parse(&hosts, text, strlen(text), "/certs/d", "registry.example", arena, &fault);
}

static bool refused(const char *text, const char *why)
{
	bool is = parse(text) < 0 && fault.code == ERR_INTERNAL && strstr(fault.msg, why);

	if (!is)
		printf("# %s\n", fault.msg);
	return is;
}

static const char *default_of(const char *domain)
{
	return hosts_load(&hosts, "", domain, arena, &fault) == 0 && hosts.n == 1 && !hosts.at->mirror ? hosts.at->url
												       : "";
}

static void without_a_file(void)
{
	is_str(default_of("registry.example"), "https://registry.example/v2");
	is_str(default_of("registry.example:5000"), "https://registry.example:5000/v2");
	is_str(default_of("docker.io"), "https://registry-1.docker.io/v2");
	is_str(default_of("localhost:5000"), "http://localhost:5000/v2");
	is_str(default_of("127.0.0.1:5000"), "http://127.0.0.1:5000/v2");
	is_str(default_of("[::1]:5000"), "http://[::1]:5000/v2");
	is_str(default_of("127.0.0.1:443"), "https://127.0.0.1:443/v2");
	is_str(default_of("127.evil.example"), "https://127.evil.example/v2");
	is_str(default_of("localhost.example"), "https://localhost.example/v2");
}

static void mirrors_first_then_the_server(void)
{
	ok(parse("server = \"https://up.example\"\n[host.\"http://b.example:1\"]\n[host.\"https://a.example\"]\n") ==
		0);
	ok(hosts.n == 3);
	is_str(hosts.at[0].url, "http://b.example:1/v2");
	is_str(hosts.at[1].url, "https://a.example/v2");
	is_str(hosts.at[2].url, "https://up.example/v2");
	ok(hosts.at[0].mirror && hosts.at[2].mirror);
}

static void no_server_means_the_registry_itself(void)
{
	ok(parse("[host.\"a.example\"]") == 0 && hosts.n == 2);
	is_str(hosts.at[0].url, "https://a.example/v2");
	is_str(hosts.at[1].url, "https://registry.example/v2");
	ok(hosts.at[0].mirror && !hosts.at[1].mirror);
	ok(parse("") == 0 && hosts.n == 1);
}

static void the_server_among_its_hosts(void)
{
	ok(parse("server = \"https://a.example\"\n[host.\"https://a.example\"]\nca = \"/ca\"\n") == 0 && hosts.n == 1);
	is_str(hosts.at[0].ca_file, "/ca");
	ok(parse("server = \"https://a.example\"\n[host.\"https://a.example\"]\nca = \"/ca\"\ncapabilities = "
		 "[\"pull\"]") == 0);
	ok(hosts.n == 2 && !hosts.at[0].resolve && hosts.at[1].resolve);
	is_str(hosts.at[1].ca_file, "/ca");
}

static void every_key(void)
{
	ok(parse("[host.\"https://m.example/p/\"]\ncapabilities = [\n \"pull\", # not tags\n]\nca = \"ca.pem\"\n"
		 "client = [[\"/c.pem\", \"k.pem\"]]\nskip_verify = true\ndial_timeout = \"1.5s\"\noverride_path = "
		 "true\n"
		 "[host.\"https://m.example/p/\".header]\nX-A = \"1\"\nX-B = ['2', \"3\\u00e9\"]\n") == 0);
	is_str(hosts.at[0].url, "https://m.example/p");
	ok(hosts.at[0].pull && !hosts.at[0].resolve && hosts.at[0].skip_verify);
	is_str(hosts.at[0].ca_file, "/certs/d/ca.pem");
	is_str(hosts.at[0].client_cert, "/c.pem");
	is_str(hosts.at[0].client_key, "/certs/d/k.pem");
	ok(hosts.at[0].connect_timeout_ms == 1500);
	ok(hosts.at[0].headers.n == 3);
	is_str(hosts.at[0].headers.at[0], "X-A: 1");
	is_str(hosts.at[0].headers.at[2], "X-B: 3\xc3\xa9");
	ok(hosts.at[1].pull && hosts.at[1].resolve && !hosts.at[1].ca_file);
}

static void other_spellings(void)
{
	ok(parse("host.'https://a.example'.skip_verify = true\r\nserver='registry.example/v2/' # c\r\n") == 0 &&
		hosts.n == 2);
	ok(hosts.at[0].skip_verify);
	is_str(hosts.at[1].url, "https://registry.example/v2");
	ok(parse("[ host . \"https://a.example\" ]\nclient = \"both.pem\"\nheader = { a = \"b\" }\n") == 0);
	is_str(hosts.at[0].client_key, "/certs/d/both.pem");
	is_str(hosts.at[0].headers.at[0], "a: b");
	ok(hosts_toml_parse(&hosts, "server = \"https://docker.io\"", 28, "/d", "docker.io", arena, &fault) == 0);
	ok(hosts.n == 1 && !hosts.at[0].mirror);
	is_str(hosts.at[0].url, "https://registry-1.docker.io/v2");
}

static void faults_name_their_line(void)
{
	ok(refused("\n\nserver =", "/certs/d/hosts.toml:3: "));
	ok(refused("server = \"a\" x", ":1: unexpected text after the value"));
	ok(refused("server = \"a", ":1: the string does not end"));
	ok(refused("server = \"\"\"a\"\"\"", "several lines"));
	ok(refused("[[host]]", "arrays of tables"));
	ok(refused("a = 1.5", "decimal integers"));
	ok(refused("a = 2020-01-01", "decimal integers"));
	ok(refused("server = \"a\"\nserver = \"b\"", ":2: this key was given before"));
	ok(refused("[host.\"a\"]\n[host.\"a\"]", ":2: this table was given before"));
	ok(refused("[host.a", "] is expected"));
	ok(refused("x", "= is expected"));
	ok(refused("= 1", "a key is expected"));
	ok(refused("x = [1 2]", "a comma or ]"));
	ok(refused("x = [[[[[[[[[[1]]]]]]]]]]", "too deep"));
	ok(refused("x = \"\\q\"", "escape"));
	ok(refused("x = \"\\ud800\"", "escape"));
	ok(refused("x = \"\xff\"", "UTF-8"));
	ok(refused("a = 1\na.b = 2", "not a table"));
}

static void faults_of_meaning(void)
{
	ok(refused("mirrors = 1", "mirrors: unknown key"));
	ok(refused("[host.\"a\"]\nserver = \"b\"", "host a: server: unknown key"));
	ok(refused("[host.\"a\"]\ncapabilities = [\"pul\"]", "host a: capabilities"));
	ok(refused("[host.\"ftp://a\"]", "http or https URL"));
	ok(refused("[host.\"https://user:pw@a\"]", "http or https URL"));
	ok(refused("[host.\"https:///x\"]", "http or https URL"));
	ok(refused("host = 1", "must be a table"));
	ok(refused("[host]\na = 1", "tables named by URLs"));
	ok(refused("skip_verify = \"yes\"", "true or false"));
	ok(refused("ca = [\"a\", \"b\"]", "only one file"));
	ok(refused("client = [\"a\", \"b\"]", "only one certificate"));
	ok(refused("client = [[\"a\", 1]]", "client"));
	ok(refused("dial_timeout = \"soon\"", "dial_timeout"));
	ok(refused("[header]\nx = \"a\\nb\"", "header"));
	ok(refused("server = 1", "must be a string"));
}

static void put(const char *dir, const char *name, const char *text)
{
	FILE *f;

	mkdir(dir, 0755);
	f = fopen(arena_printf(arena, "%s/%s", dir, name), "w");
	fputs(text, f);
	fclose(f);
}

static void directories_in_order(const char *root)
{
	put(arena_printf(arena, "%s/_default", root), "hosts.toml", "server = \"https://default.example\"");
	ok(hosts_load(&hosts, root, "a.example:5000", arena, &fault) == 0);
	is_str(hosts.at[0].url, "https://default.example/v2");
	put(arena_printf(arena, "%s/a.example:5000", root), "hosts.toml", "server = \"https://colon.example\"");
	ok(hosts_load(&hosts, root, "a.example:5000", arena, &fault) == 0);
	is_str(hosts.at[0].url, "https://colon.example/v2");
	put(arena_printf(arena, "%s/a.example_5000_", root), "hosts.toml", "server = \"https://under.example\"");
	ok(hosts_load(&hosts, root, "a.example:5000", arena, &fault) == 0);
	is_str(hosts.at[0].url, "https://under.example/v2");
	ok(hosts.at[0].mirror);
}

static void docker_certificates(const char *root)
{
	const char *dir = arena_printf(arena, "%s/c.example", root);

	put(dir, "ca.crt", "x");
	put(dir, "me.cert", "x");
	put(dir, "me.key", "x");
	ok(hosts_load(&hosts, root, "c.example", arena, &fault) == 0 && hosts.n == 1);
	is_str(hosts.at[0].url, "https://c.example/v2");
	is_str(hosts.at[0].ca_file, arena_printf(arena, "%s/ca.crt", dir));
	is_str(hosts.at[0].client_key, arena_printf(arena, "%s/me.key", dir));
	put(arena_printf(arena, "%s/127.0.0.1:5000", root), "ca.crt", "x");
	ok(hosts_load(&hosts, root, "127.0.0.1:5000", arena, &fault) == 0);
	is_str(hosts.at[0].url, "https://127.0.0.1:5000/v2");
	put(dir, "other.crt", "x");
	ok(hosts_load(&hosts, root, "c.example", arena, &fault) < 0 && strstr(fault.msg, "more than one .crt"));
}

int main(void)
{
	char root[] = "/tmp/test_hosts_toml.XXXXXX";

	arena = arena_new();
	without_a_file();
	mirrors_first_then_the_server();
	no_server_means_the_registry_itself();
	the_server_among_its_hosts();
	every_key();
	other_spellings();
	faults_name_their_line();
	faults_of_meaning();
	ok(mkdtemp(root) != NULL);
	directories_in_order(root);
	docker_certificates(root);
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
