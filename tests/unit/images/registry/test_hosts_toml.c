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

static int load(const char *root, const char *domain)
{
	struct lookup *l = lookup_new("test");
	int ret = hosts_load(&hosts, l, root, domain, arena, &fault);

	lookup_free(l);
	return ret;
}

static const char *default_of(const char *domain)
{
	return load("", domain) == 0 && hosts.n == 1 && !hosts.at->mirror ? hosts.at->url
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
	is_str(hosts.at[0].ca_files.at[0], "/ca");
	ok(parse("server = \"https://a.example\"\n[host.\"https://a.example\"]\nca = \"/ca\"\ncapabilities = "
		 "[\"pull\"]") == 0);
	ok(hosts.n == 2 && !hosts.at[0].resolve && hosts.at[1].resolve);
	is_str(hosts.at[1].ca_files.at[0], "/ca");
}

static void every_key(void)
{
	ok(parse("[host.\"https://m.example/p/\"]\ncapabilities = [\n \"pull\", # not tags\n]\nca = \"ca.pem\"\n"
		 "client = [[\"/c.pem\", \"k.pem\"]]\nskip_verify = true\ndial_timeout = \"1.5s\"\noverride_path = "
		 "true\n"
		 "[host.\"https://m.example/p/\".header]\nX-A = \"1\"\nX-B = ['2', \"3\\u00e9\"]\n") == 0);
	is_str(hosts.at[0].url, "https://m.example/p");
	ok(hosts.at[0].pull && !hosts.at[0].resolve && hosts.at[0].skip_verify);
	is_str(hosts.at[0].ca_files.at[0], "/certs/d/ca.pem");
	ok(hosts.warnings.n == 0);
	is_str(hosts.at[0].client_certs.at[0], "/c.pem");
	is_str(hosts.at[0].client_keys.at[0], "/certs/d/k.pem");
	ok(hosts.at[0].connect_timeout_ms == 1500);
	ok(hosts.at[0].headers.n == 3);
	is_str(hosts.at[0].headers.at[0], "X-A: 1");
	is_str(hosts.at[0].headers.at[2], "X-B: 3\xc3\xa9");
	ok(hosts.at[1].pull && hosts.at[1].resolve && !hosts.at[1].ca_files.n);
}

static void other_spellings(void)
{
	ok(parse("host.'https://a.example'.skip_verify = true\r\nserver='registry.example/v2/' # c\r\n") == 0 &&
		hosts.n == 2);
	ok(hosts.at[0].skip_verify);
	is_str(hosts.at[1].url, "https://registry.example/v2");
	ok(parse("[ host . \"https://a.example\" ]\nclient = \"both.pem\"\nheader = { a = \"b\" }\n") == 0);
	is_str(hosts.at[0].client_keys.at[0], "/certs/d/both.pem");
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
	ok(refused("a = \"\"\"b\n", ":2: the string does not end"));
	ok(refused("a = \"\"\"b\\q\"\"\"", "escape"));
	ok(refused("[[a]\n", "] is expected"));
	ok(refused("a = 1\n[[a]]\n", "given before"));
	ok(refused("a = 1x", "number or date"));
	ok(refused("a = yes", "a string, boolean, number"));
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

/* All of TOML is read, also where no key has a meaning. */
static void what_hosts_toml_never_has(void)
{
	ok(parse("a = 1.5\nb = -inf\nc = 2020-01-01\nd = 2020-01-01 10:00:00.5Z\ne = 2020-01-01T10:00:00+01:00\n"
		 "f = 0x1F\ng = 1_000\nh = [1e5, nan]\n[[i]]\nx = 1\n[[i]]\nx = 2\n[i.y]\nz = 1\n") == 0);
	ok(hosts.warnings.n == 9 && hosts.n == 1);
	ok(parse("server = \"\"\"\nhttps://a.\\\n   example\"\"\"\n[header]\n"
		 "A = \'\'\'x\\y\'\'\'\nB = \"\"\"\"q\"\"\"\"\n") ==
		0);
	is_str(hosts.at[0].url, "https://a.example/v2");
	is_str(hosts.at[0].headers.at[0], "A: x\\y");
	is_str(hosts.at[0].headers.at[1], "B: \"q\"");
}

static bool warned(const char *text, const char *warning)
{
	bool is = parse(text) == 0 && hosts.warnings.n > 0 && strstr(hosts.warnings.at[0], warning);

	if (!is)
		printf("# %s\n", hosts.warnings.n ? hosts.warnings.at[0] : "no warning");
	return is;
}

static void what_cannot_be_used_is_a_warning(void)
{
	ok(warned("mirrors = 1", "mirrors: unknown key"));
	ok(warned("[host.\"a\"]\nserver = \"b\"", "host a: server: unknown key") && hosts.n == 2);
	ok(warned("[host.\"a\"]\ncapabilities = [\"pul\"]", "host a: capabilities") && !hosts.at[0].pull);
	ok(warned("capabilities = 1", "capabilities: it is ignored") && hosts.at[0].pull);
	ok(warned("[host.\"ftp://a\"]", "http or https URL") && hosts.n == 1);
	ok(warned("[host.\"https://user:pw@a\"]", "http or https URL") && !strstr(hosts.warnings.at[0], "pw"));
	ok(warned("[host.\"https:///x\"]", "http or https URL"));
	ok(warned("host = 1", "it is no table"));
	ok(warned("[host]\na = 1", "no table named by a URL"));
	ok(warned("skip_verify = \"yes\"", "neither true nor false") && !hosts.at[0].skip_verify);
	ok(warned("ca = [\"a\", 1]", "ca: what is no path") && hosts.at[0].ca_files.n == 1);
	ok(warned("client = [[\"a\", 1], [\"a\", \"b\", \"c\"], \"d\"]", "client") && hosts.at[0].client_certs.n == 1);
	ok(warned("[header]\nx = \"a\\nb\"\ny = \"z\"", "header") && hosts.at[0].headers.n == 1);
	ok(refused("server = 1", "server: must be an http"));
	ok(refused("server = \"ftp://a\"", "server: must be an http"));
}

static int64_t timeout_ms(const char *text)
{
	if (parse(arena_printf(arena, "dial_timeout = %s", text)) < 0)
		return -1;
	return hosts.warnings.n ? -2 : hosts.at[0].connect_timeout_ms;
}

static void durations_as_in_go(void)
{
	ok(timeout_ms("\"10s\"") == 10000 && timeout_ms("\"1m30s\"") == 90000 && timeout_ms("\"+1.5s\"") == 1500);
	ok(timeout_ms("\".5s500ms\"") == 1000 && timeout_ms("\"2000000ns\"") == 2 && timeout_ms("\"1500us\"") == 1);
	ok(timeout_ms("\"3000\u00b5s\"") == 3 && timeout_ms("\"0.5h\"") == 1800000);
	ok(timeout_ms("\"100h\"") == 3600000);
	ok(timeout_ms("\"0\"") == -2 && timeout_ms("\"0s\"") == -2 && timeout_ms("\"-1s\"") == -2);
	ok(timeout_ms("\"soon\"") == -2 && timeout_ms("\"1\"") == -2 && timeout_ms("5") == -2);
	ok(timeout_ms("\"1..5s\"") == -2 && timeout_ms("\"1e3s\"") == -2 && timeout_ms("\"\"") == -2);
}

static void several_files(void)
{
	ok(parse("ca = [\"a.pem\", \"/b.pem\"]\nclient = [[\"c1\", \"k1\"], \"both\", [\"c3\", \"\"]]\n") == 0);
	ok(hosts.at[0].ca_files.n == 2 && hosts.at[0].client_certs.n == 3 && !hosts.warnings.n);
	is_str(hosts.at[0].ca_files.at[1], "/b.pem");
	is_str(hosts.at[0].client_keys.at[0], "/certs/d/k1");
	is_str(hosts.at[0].client_keys.at[1], "/certs/d/both");
	is_str(hosts.at[0].client_keys.at[2], "/certs/d/c3");
}

/* Settings of a table count for its host's name; certificates of a client for scheme and port too. */
static void settings_for_another_url(void)
{
	static const struct http_pair pair;
	struct http_request q;

	ok(parse("skip_verify = true\n[host.\"https://cdn.example\"]\ncapabilities = [\"push\"]\n"
		 "[host.\"http://store.example:9000\"]\ncapabilities = [\"push\"]\n") == 0 && hosts.n == 3);
	ok(hosts_for_url(&hosts, &hosts.at[2], "https://Registry.example:5001/token") == &hosts.at[2]);
	ok(hosts_for_url(&hosts, &hosts.at[2], "https://cdn.example:444/x") == &hosts.at[0]);
	ok(!hosts_for_url(&hosts, &hosts.at[2], "https://evil.example/cdn.example"));
	ok(!hosts_for_url(&hosts, &hosts.at[2], "https://registry.example.evil/"));
	ok(hosts_plain_allowed(&hosts, &hosts.at[2], "http://any.example/x", arena)); /* as it is not verified anyway */
	hosts.at[2].skip_verify = false;
	ok(!hosts_plain_allowed(&hosts, &hosts.at[2], "http://any.example/x", arena));
	ok(!hosts_plain_allowed(&hosts, &hosts.at[2], "http://cdn.example/x", arena));
	ok(hosts_plain_allowed(&hosts, &hosts.at[2], "http://store.example:9000/x", arena));
	ok(!hosts_plain_allowed(&hosts, &hosts.at[2], "http://store.example/x", arena));
	ok(hosts_plain_allowed(&hosts, &hosts.at[2], "http://127.0.0.1:1/x", arena));
	is_str(hosts_advice(&hosts, "http://a.example:1/x?y", arena),
		"add [host.\"http://a.example:1\"] with capabilities = [\"push\"] to /certs/d/hosts.toml");
	hosts.at[0].clients = &pair;
	hosts.at[0].nclients = 1;
	q = (struct http_request){ .url = "https://cdn.example/x" };
	ok(!hosts_set_tls(&q, &hosts, &hosts.at[2], true) && q.clients == &pair);
	q = (struct http_request){ .url = "https://cdn.example:444/x" };
	ok(!hosts_set_tls(&q, &hosts, &hosts.at[2], true) && !q.clients);
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
	ok(load(root, "a.example:5000") == 0);
	is_str(hosts.at[0].url, "https://default.example/v2");
	put(arena_printf(arena, "%s/a.example:5000", root), "hosts.toml", "server = \"https://colon.example\"");
	ok(load(root, "a.example:5000") == 0);
	is_str(hosts.at[0].url, "https://colon.example/v2");
	put(arena_printf(arena, "%s/a.example_5000_", root), "hosts.toml", "server = \"https://under.example\"");
	ok(load(root, "a.example:5000") == 0);
	is_str(hosts.at[0].url, "https://under.example/v2");
	ok(hosts.at[0].mirror);
}

#define CERT "-----BEGIN CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\n"

static void docker_certificates(const char *root)
{
	const char *dir = arena_printf(arena, "%s/c.example", root);

	put(dir, "ca.crt", CERT "1");
	put(dir, "me.cert", CERT "2");
	put(dir, "me.key", KEY "3");
	ok(load(root, "c.example") == 0 && hosts.n == 1);
	is_str(hosts.at[0].url, "https://c.example/v2");
	is_str(hosts.at[0].ca_files.at[0], arena_printf(arena, "%s/ca.crt", dir));
	ok(!hosts.at[0].fault && hosts.at[0].nclients == 1);
	is_str(hosts.at[0].ca->text, CERT "1\n");
	is_str(hosts.at[0].clients[0].key.name, arena_printf(arena, "%s/me.key", dir));
	/* The key may be in the file of the certificate. */
	unlink(hosts.at[0].clients[0].key.name);
	ok(load(root, "c.example") == 0 && strstr(hosts.at[0].fault, "me.cert: it has no PRIVATE KEY in PEM format"));
	put(dir, "me.cert", CERT "2\n" KEY "3");
	put(dir, "you.cert", CERT "4\n" KEY "5");
	put(dir, "other.crt", CERT "6");
	ok(load(root, "c.example") == 0 && !hosts.at[0].fault && hosts.at[0].nclients == 2);
	is_str(hosts.at[0].ca->text, CERT "1\n" CERT "6\n");
	put(dir, "none.crt", "x");
	ok(load(root, "c.example") == 0 && strstr(hosts.at[0].fault, "none.crt: it has no CERTIFICATE in PEM format"));
	put(arena_printf(arena, "%s/127.0.0.1:5000", root), "ca.crt", CERT);
	ok(load(root, "127.0.0.1:5000") == 0);
	is_str(hosts.at[0].url, "https://127.0.0.1:5000/v2");
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
	what_hosts_toml_never_has();
	what_cannot_be_used_is_a_warning();
	durations_as_in_go();
	several_files();
	settings_for_another_url();
	ok(mkdtemp(root) != NULL);
	directories_in_order(root);
	docker_certificates(root);
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
