/* test_validate.c - the validator of the configuration: what it rejects, and the plugins that must be there. */
#include "handlers/nri/owners.h"
#include "handlers/nri/validate.h"
#include "reactor/arena.h"
#include "tests/tap.h"

static struct nri_validator config;
static Nri__PodSandbox pod;
static Nri__PodSandbox__AnnotationsEntry annotation, *annotations[] = { &annotation };
static Nri__Container container;
static Nri__LinuxContainer linux_;
static Nri__SecurityProfile profile;
static Nri__PluginInstance plugin, *list[] = { &plugin };
static const struct nri_plugins plugins = { list, 1 };
static json_t *owners;
static struct err e;

static void begin(void)
{
	config = (struct nri_validator){ .enabled = true, .tolerate_annotation = "" };
	nri__pod_sandbox__init(&pod);
	nri__pod_sandbox__annotations_entry__init(&annotation);
	nri__container__init(&container);
	nri__linux_container__init(&linux_);
	nri__security_profile__init(&profile);
	nri__plugin_instance__init(&plugin);
	plugin.index = (char *)"10";
	plugin.name = (char *)"one";
	container.id = (char *)"id";
	container.name = (char *)"web";
	container.linux = &linux_;
	json_decref(owners);
	owners = nri_owners_new();
}

static int validate(void)
{
	return nri_validate(&config, &pod, &container, owners, &plugins, &e);
}

static void annotate(const char *key, const char *value)
{
	annotation.key = (char *)key;
	annotation.value = (char *)value;
	pod.annotations = annotations;
	pod.n_annotations = 1;
}

static void hooks_and_sysctls(void)
{
	begin();
	nri_claim_too(owners, "id", "10-one", NRI__FIELD__FIELD_OCI_HOOKS);
	ok(validate() == 0);
	config.reject_hooks = true;
	ok(validate() < 0 && e.code == ERR_FAILED_PRECONDITION);
	is_str(e.msg, "NRI plugin 10-one: hooks is rejected by nri_validator of the configuration");
	begin();
	config.reject_sysctl = true;
	ok(validate() == 0);
	nri_claim(owners, "id", "10-one", NRI__FIELD__FIELD_SYSCTL, "a.b", &e);
	ok(validate() < 0);
	nri_release(owners, "id", "20-two", NRI__FIELD__FIELD_SYSCTL, "a.b");
	ok(validate() == 0);
}

static bool rejected(Nri__SecurityProfile *own, bool by_default, bool unconfined, bool custom)
{
	begin();
	nri_claim(owners, "id", "10-one", NRI__FIELD__FIELD_SECCOMP_POLICY, "", &e);
	linux_.seccomp_profile = own;
	config.reject_seccomp_default = by_default;
	config.reject_seccomp_unconfined = unconfined;
	config.reject_seccomp_custom = custom;
	return validate() < 0;
}

static void seccomp_by_the_profile_of_the_container(void)
{
	Nri__SecurityProfile p = NRI__SECURITY_PROFILE__INIT;

	p.profile_type = NRI__PROFILE_TYPE__RUNTIME_DEFAULT;
	ok(rejected(&p, true, false, false) && !rejected(&p, false, true, true));
	p.profile_type = NRI__PROFILE_TYPE__LOCALHOST;
	ok(rejected(&p, false, false, true) && !rejected(&p, true, true, false));
	p.profile_type = NRI__PROFILE_TYPE__UNCONFINED;
	ok(rejected(&p, false, true, false) && !rejected(&p, true, false, true));
	ok(rejected(NULL, false, true, false) && !rejected(NULL, true, false, true));
}

static void plugins_that_must_be_there(void)
{
	static const char *names[] = { "one", "10-one", "11-one" };

	begin();
	config.required_plugins = (struct strings){ names, 2 };
	ok(validate() == 0);
	config.required_plugins.n = 3;
	ok(validate() < 0 && e.code == ERR_FAILED_PRECONDITION);
	is_str(e.msg, "NRI: the required plugin 11-one is not there");
	config.tolerate_annotation = "may.miss";
	ok(validate() < 0);
	annotate("may.miss/container.web", "true");
	ok(validate() == 0);
	annotate("may.miss/container.other", "true");
	ok(validate() < 0);
	annotate("may.miss/pod", "no");
	ok(validate() < 0 && e.code == ERR_INVALID_ARGUMENT);
	is_str(e.msg, "annotation may.miss: \"no\" is neither true nor false");
}

static void plugins_that_a_pod_wants(void)
{
	begin();
	annotate("required-plugins.noderesource.dev", "[one, two]");
	ok(validate() < 0);
	is_str(e.msg, "NRI: the required plugin two is not there");
	annotate("required-plugins.noderesource.dev/container.web", "- one\n");
	ok(validate() == 0);
	annotate("required-plugins.noderesource.dev/container.other", "[two]");
	ok(validate() == 0);
	annotate("required-plugins.noderesource.dev/pod", "one: two");
	ok(validate() < 0 && e.code == ERR_INVALID_ARGUMENT);
	annotate("required-plugins.noderesource.dev/pod", "[");
	ok(validate() < 0 && e.code == ERR_INVALID_ARGUMENT);
}

int main(void)
{
	hooks_and_sysctls();
	seccomp_by_the_profile_of_the_container();
	plugins_that_must_be_there();
	plugins_that_a_pod_wants();
	json_decref(owners);
	return tap_end();
}
