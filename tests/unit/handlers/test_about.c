/* test_about.c - handlers/about.c: lines of the log and requests name their objects. */
#include <unistd.h>

#include "api.pb-c.h"
#include "handlers/about.h"
#include "procs/container.h"
#include "reactor/log.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"
#include "tests/unit/handlers/pod_story.h"

/* The line that fn(id) writes, from its event on. */
static const char *logged(void (*fn)(const char *id), const char *id)
{
	static char line[4096];
	int saved = dup(2), ends[2];
	ssize_t n;

	ok(pipe(ends) == 0 && dup2(ends[1], 2) == 2);
	fn(id);
	n = read(ends[0], line, sizeof(line) - 1);
	dup2(saved, 2);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	line[n > 1 ? n - 1 : 0] = '\0';
	return strstr(line, "ev");
}

static void write_container(const char *id) { log_warn("ev container=%.12s error=\"it=is sandbox=0\"", id); }
static void write_id(const char *id) { log_warn("ev id=%.12s image=mine", id); }
static void write_sandbox(const char *id) { log_warn("ev sandbox=%.12s pod=\"a/b\"", id); }
static void write_quoted(const char *id) { log_warn("ev error=\"x container=%.12s \"", id); }
static void write_path(const char *id) { log_warn("ev path=\"/run/%s/rootfs\" digest=sha256:%s0", id, id); }
static void write_unknown(const char *id) { (void)id; log_warn("ev container=ffffffffffff sandbox=%s", "x"); }

static void a_line_names_its_object(void)
{
	struct container *c = container_of_pod("nginx \"x\"");
	char want[400];

	about_open();
	snprintf(want, sizeof(want), "ev container=%.12s error=\"it=is sandbox=0\" pod=\"shop/web-0\" "
		 "container_name=\"nginx \\\"x\\\"\" image=\"docker.io/x/y:1\"", c->id);
	is_str(logged(write_container, c->id), want);
	snprintf(want, sizeof(want), "ev id=%.12s image=mine pod=\"shop/web-0\" container_name=\"nginx \\\"x\\\"\"",
		 c->id);
	is_str(logged(write_id, c->id), want);
	snprintf(want, sizeof(want), "ev id=%.12s image=mine pod=\"shop/web-0\"", c->sandbox->id);
	is_str(logged(write_id, c->sandbox->id), want);
	snprintf(want, sizeof(want), "ev sandbox=%.12s pod=\"a/b\"", c->sandbox->id);
	is_str(logged(write_sandbox, c->sandbox->id), want);
	snprintf(want, sizeof(want), "ev error=\"x container=%.12s \"", c->id);
	is_str(logged(write_quoted, c->id), want);
	snprintf(want, sizeof(want), "ev path=\"/run/%s/rootfs\" digest=sha256:%s0 pod=\"shop/web-0\"", c->sandbox->id,
		 c->sandbox->id);
	is_str(logged(write_path, c->sandbox->id), want);
	is_str(logged(write_unknown, ""), "ev container=ffffffffffff sandbox=x");
	log_names(NULL);
}

static void a_request_names_its_object(void)
{
	static char id[] = "0123456789abcdef0123456789abcdef", odd[] = "x y", pod[] = "p", space[] = "n", ctr[] = "c",
		    image[] = "busybox:1", secret[] = "user:s3cr3t@r.test/b:1";
	Runtime__V1__PodSandboxMetadata of_pod = RUNTIME__V1__POD_SANDBOX_METADATA__INIT;
	Runtime__V1__PodSandboxConfig pod_config = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
	Runtime__V1__ContainerMetadata of_ctr = RUNTIME__V1__CONTAINER_METADATA__INIT;
	Runtime__V1__ContainerConfig ctr_config = RUNTIME__V1__CONTAINER_CONFIG__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__RunPodSandboxRequest run = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__CreateContainerRequest create = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	Runtime__V1__ExecSyncRequest exec = RUNTIME__V1__EXEC_SYNC_REQUEST__INIT;
	Runtime__V1__PullImageRequest pull = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	Runtime__V1__VersionRequest version = RUNTIME__V1__VERSION_REQUEST__INIT;
	struct arena *a = arena_new();

	is_str(about_request(NULL, a), "");
	is_str(about_request(&version.base, a), "");
	is_str(about_request(&run.base, a), "");
	is_str(about_request(&pull.base, a), "");
	of_pod.name = pod;
	of_pod.namespace_ = space;
	pod_config.metadata = &of_pod;
	run.config = &pod_config;
	is_str(about_request(&run.base, a), " pod=\"n/p\"");
	of_ctr.name = ctr;
	spec.image = image;
	ctr_config.metadata = &of_ctr;
	ctr_config.image = &spec;
	create.pod_sandbox_id = id;
	create.config = &ctr_config;
	create.sandbox_config = &pod_config;
	is_str(about_request(&create.base, a),
	       " sandbox=0123456789ab pod=\"n/p\" container_name=\"c\" image=\"busybox:1\"");
	exec.container_id = id;
	is_str(about_request(&exec.base, a), " container=0123456789ab");
	exec.container_id = odd;
	is_str(about_request(&exec.base, a), " container=\"x y\"");
	pull.image = &spec;
	pull.sandbox_config = &pod_config;
	is_str(about_request(&pull.base, a), " pod=\"n/p\" image=\"busybox:1\"");
	spec.image = secret;
	is_str(about_request(&pull.base, a), " pod=\"n/p\" image=\"***@r.test/b:1\"");
	arena_free(a);
}

int main(void)
{
	a_line_names_its_object();
	a_request_names_its_object();
	return tap_end();
}
