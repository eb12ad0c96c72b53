/* test_json.c - CRI messages from the JSON that people write, and back. */
#include "handlers/cli/json.h"

#include <stdlib.h>

#include "api.pb-c.h"
#include "reactor/own.h"
#include "tests/tap.h"

static struct arena *arena;
static struct err err;

static void *from(const ProtobufCMessageDescriptor *d, const char *text)
{
	auto_json json_t *j = json_parse(text, strlen(text), "test", &err);

	return j ? cli_json_read(d, j, arena, &err) : NULL;
}

static const char *to_text(const void *m)
{
	auto_json json_t *j = cli_json_write(m);

	return json_text(arena, j);
}

static Runtime__V1__PodSandboxConfig *pod(const char *text)
{
	return from(&runtime__v1__pod_sandbox_config__descriptor, text);
}

static Runtime__V1__ContainerConfig *container(const char *text)
{
	return from(&runtime__v1__container_config__descriptor, text);
}

static void a_pod_file_of_crictl(void)
{
	Runtime__V1__PodSandboxConfig *p = pod(
		"{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"namespace\":\"n\",\"attempt\":1},"
		"\"log_directory\":\"/"
		"tmp\",\"labels\":{\"k\":\"v\",\"k2\":\"\"},\"port_mappings\":[{\"container_port\":80,\"protocol\":1}],"
		"\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":1,\"network\":2}}}}");

	ok(p != NULL);
	is_str(p->metadata->name, "a");
	ok(p->metadata->attempt == 1);
	is_str(p->log_directory, "/tmp");
	is_str(p->hostname, "");
	ok(p->n_labels == 2);
	is_str(p->labels[0]->key, "k");
	is_str(p->labels[0]->value, "v");
	ok(p->n_port_mappings == 1 && p->port_mappings[0]->container_port == 80);
	ok(p->port_mappings[0]->protocol == RUNTIME__V1__PROTOCOL__UDP);
	ok(p->linux->security_context->namespace_options->pid == RUNTIME__V1__NAMESPACE_MODE__CONTAINER);
	ok(p->linux->security_context->namespace_options->network == RUNTIME__V1__NAMESPACE_MODE__NODE);
	ok(!p->linux->security_context->seccomp && !p->dns_config);
}

static void names_as_protojson_writes_them(void)
{
	Runtime__V1__PodSandboxConfig *p =
		pod("{\"logDirectory\":\"/l\",\"linux\":{\"securityContext\":{\"namespaceOptions\":"
		    "{\"pid\":\"CONTAINER\"},\"runAsUser\":5,\"runAsGroup\":{\"value\":\"6\"},\"supplementalGroups\":["
		    "1,\"2\"]}}}");
	Runtime__V1__ContainerConfig *c =
		container("{\"CDI_devices\":[{\"name\":\"x\"}],\"stop_signal\":\"SIGNAL_SIGTERM\"}");

	ok(p != NULL);
	is_str(p->log_directory, "/l");
	ok(p->linux->security_context->namespace_options->pid == RUNTIME__V1__NAMESPACE_MODE__CONTAINER);
	ok(p->linux->security_context->run_as_user->value == 5);
	ok(p->linux->security_context->run_as_group->value == 6);
	ok(p->linux->security_context->n_supplemental_groups == 2);
	ok(p->linux->security_context->supplemental_groups[1] == 2);
	ok(c && c->n_cdi_devices == 1 && c->stop_signal == RUNTIME__V1__SIGNAL__SIGNAL_SIGTERM);
	ok(container("{\"CDIDevices\":[{\"name\":\"x\"}]}")->n_cdi_devices == 1);
}

static void absent_null_and_empty_differ(void)
{
	Runtime__V1__ContainerConfig *c =
		container("{\"linux\":{\"security_context\":null,\"resources\":{}},\"args\":[]}");

	ok(c && c->linux && !c->linux->security_context);
	ok(c->linux->resources && c->linux->resources->cpu_shares == 0);
	ok(c->n_args == 0 && c->n_command == 0);
}

static void bytes_are_text_or_base64(void)
{
	Runtime__V1__ContainerConfig *c =
		container("{\"envs\":[{\"key\":\"A\",\"value\":\"caf\\u00e9\"},"
			  "{\"key\":\"B\",\"value\":{\"base64\":\"/wCA\"}},{\"key\":\"C\",\"value\":{\"base64\":\"/"
			  "w==\"}},{\"key\":\"D\"}]}");

	ok(c && c->n_envs == 4);
	ok(c->envs[0]->value.len == 5 && memcmp(c->envs[0]->value.data, "caf\xc3\xa9", 5) == 0);
	ok(c->envs[1]->value.len == 3 && memcmp(c->envs[1]->value.data, "\xff\0\x80", 3) == 0);
	ok(c->envs[2]->value.len == 1 && c->envs[2]->value.data[0] == 0xff);
	ok(c->envs[3]->value.len == 0);
	is_str(to_text(c->envs[0]), "{\"key\":\"A\",\"value\":\"caf\xc3\xa9\"}");
	is_str(to_text(c->envs[1]), "{\"key\":\"B\",\"value\":{\"base64\":\"/wCA\"}}");
	is_str(to_text(c->envs[2]), "{\"key\":\"C\",\"value\":{\"base64\":\"/w==\"}}");
	c = container("{\"envs\":[{\"value\":{\"base64\":\"YQBi\"}}]}");
	is_str(to_text(c->envs[0]), "{\"key\":\"\",\"value\":{\"base64\":\"YQBi\"}}");
}

static void faults_name_the_place(void)
{
	static const struct { const char *text, *message;
	} cases[] = {
		{ "{\"linux\":{\"securty_context\":{}}}",
		  "linux.securty_context: no such member of LinuxPodSandboxConfig" },
		{ "{\"port_mappings\":[{},{\"host_port\":\"x\"}]}",
		  "port_mappings[1].host_port: an integer is expected" },
		{ "{\"port_mappings\":{}}", "port_mappings: a list is expected" },
		{ "{\"labels\":[]}", "labels: an object is expected" },
		{ "{\"labels\":{\"k\":1}}", "labels.k: text is expected" },
		{ "{\"metadata\":{\"attempt\":-1}}", "metadata.attempt: -1 is out of range" },
		{ "{\"metadata\":{\"attempt\":4294967296}}", "metadata.attempt: 4294967296 is out of range" },
		{ "{\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":\"HOST\"}}}}",
		  "linux.security_context.namespace_options.pid: HOST is no NamespaceMode" },
		{ "{\"linux\":{\"security_context\":{\"privileged\":1}}}",
		  "linux.security_context.privileged: true or false is expected" },
		{ "{\"metadata\":3}", "metadata: an object is expected" },
		{ "{\"dns_config\":{\"servers\":[\"a\"]},\"dnsConfig\":{\"servers\":{}}}",
		  "dnsConfig.servers: a list is expected" },
		{ "[]", "an object is expected" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ok(pod(cases[i].text) == NULL);
		ok(err.code == ERR_INVALID_ARGUMENT);
		is_str(err.msg, cases[i].message);
	}
	ok(!container("{\"envs\":[{\"value\":{\"base64\":\"a\"}}]}"));
	is_str(err.msg, "envs[0].value: not base64");
	ok(!container("{\"envs\":[{\"value\":{\"base64\":\"a===\"}}]}"));
	ok(!container("{\"envs\":[{\"value\":7}]}"));
	is_str(err.msg, "envs[0].value: text or {\"base64\": \"...\"} is expected");
}

static void what_is_written_can_be_read(void)
{
	Runtime__V1__ContainerStatusResponse *r =
		from(&runtime__v1__container_status_response__descriptor,
		     "{\"status\":{\"id\":\"c\",\"state\":\"CONTAINER_EXITED\",\"exit_code\":-1,\"created_at\":"
		     "\"9223372036854775807\","
		     "\"labels\":{\"a\":\"b\"},\"mounts\":[{\"uidMappings\":[{\"length\":4294967295}],\"readonly\":"
		     "true}]},\"info\":{\"info\":\"{}\"}}");
	const char *text;
	Runtime__V1__PsiData *psi =
		from(&runtime__v1__psi_data__descriptor, "{\"Total\":\"18446744073709551615\",\"Avg10\":0.25}");

	ok(r != NULL);
	text = to_text(r);
	ok(strstr(text, "\"createdAt\":\"9223372036854775807\"") != NULL);
	ok(strstr(text, "\"state\":\"CONTAINER_EXITED\"") != NULL);
	ok(strstr(text, "\"exitCode\":-1") != NULL);
	ok(strstr(text, "\"startedAt\":\"0\"") != NULL);
	ok(strstr(text, "\"labels\":{\"a\":\"b\"}") != NULL);
	ok(strstr(text, "\"length\":4294967295") != NULL);
	ok(strstr(text, "resources") == NULL);
	is_str(to_text(from(&runtime__v1__container_status_response__descriptor, text)), text);
	ok(psi && psi->total == UINT64_MAX);
	is_str(to_text(psi), "{\"Avg10\":0.25,\"Avg300\":0.0,\"Avg60\":0.0,\"Total\":\"18446744073709551615\"}");
}

static void an_enum_without_a_name(void)
{
	Runtime__V1__ContainerConfig *c = container("{\"stop_signal\":99}");

	ok(c && (int)c->stop_signal == 99);
	ok(strstr(to_text(c), "\"stopSignal\":99") != NULL);
}

int main(void)
{
	arena = arena_new();
	a_pod_file_of_crictl();
	names_as_protojson_writes_them();
	absent_null_and_empty_differ();
	bytes_are_text_or_base64();
	faults_name_the_place();
	what_is_written_can_be_read();
	an_enum_without_a_name();
	arena_free(arena);
	return tap_end();
}
