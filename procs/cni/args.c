/* args.c - see args.h. */
#include "procs/cni/args.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

static const int64_t BITS_MIN = 1000, BITS_MAX = 1000000000000000; /* a second: Kubernetes' bounds */

char *cni_args(const struct cni_sandbox *s, struct arena *a, struct err *e)
{
	const char *const values[] = { s->namespace_, s->name, s->uid };

	/* Plugins refuse a second "=" in DEL, too: such a pod could not be removed. */
	for (size_t i = 0; i < 3; i++)
		if (strpbrk(values[i], ";=")) {
			err_set(e, ERR_INVALID_ARGUMENT,
				"pod metadata with \";\" or \"=\" cannot be told to CNI plugins: %.128s", values[i]);
			return NULL;
		}
	return arena_printf(
		a, "IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_INFRA_CONTAINER_ID=%s;K8S_POD_UID=%s",
		s->namespace_, s->name, s->id, s->uid);
}

static double suffix_factor(const char *suffix)
{
	static const char decimal[] = "kMGTPE", binary[] = "KMGTPE";
	const char *at;

	if (!suffix[0])
		return 1;
	if (strcmp(suffix, "m") == 0)
		return 1e-3;
	if (suffix[1] == 'i' && !suffix[2] && (at = strchr(binary, suffix[0])))
		return pow(1024, (double)(at - binary + 1));
	if (!suffix[1] && (at = strchr(decimal, suffix[0])))
		return pow(1000, (double)(at - decimal + 1));
	if (suffix[0] == 'e' || suffix[0] == 'E') {
		size_t digits = strspn(suffix + 1 + (suffix[1] == '+' || suffix[1] == '-'), "0123456789");
		long power = digits && digits < 4 ? strtol(suffix + 1, NULL, 10) : 1000;

		if (strlen(suffix) == 1 + (suffix[1] == '+' || suffix[1] == '-') + digits && labs(power) < 100)
			return pow(10, (double)power);
	}
	return -1;
}

int64_t cni_quantity(const char *text)
{
	char number[48] = "";
	size_t digits, len;
	double factor, v;

	if (*text == '+')
		text++;
	digits = strspn(text, "0123456789");
	len = digits;
	if (text[len] == '.') {
		size_t more = strspn(text + len + 1, "0123456789");

		digits += more;
		len += 1 + more;
	}
	if (digits == 0 || digits > 40)
		return -1;
	factor = suffix_factor(text + len);
	if (factor < 0)
		return -1;
	memcpy(number, text, len);
	v = ceil(strtod(number, NULL) * factor);
	return v < 0x1p62 ? (int64_t)v : -1;
}

static json_t *port_mappings(const struct cni_sandbox *s)
{
	static const char *const names[] = { [PROTOCOL_TCP] = "tcp", [PROTOCOL_UDP] = "udp", [PROTOCOL_SCTP] = "sctp" };
	json_t *all = json_array();

	for (size_t i = 0; i < s->nports; i++) {
		const struct port_mapping *p = &s->ports[i];

		if (p->host_port > 0 && p->protocol >= PROTOCOL_TCP && p->protocol <= PROTOCOL_SCTP)
			json_array_append_new(all, json_pack("{s:i, s:i, s:s, s:s}", "hostPort", p->host_port,
							     "containerPort", p->container_port, "protocol",
							     names[p->protocol], "hostIP", p->host_ip));
	}
	return all;
}

bool cni_has_host_port(const struct cni_sandbox *s)
{
	for (size_t i = 0; i < s->nports; i++)
		if (s->ports[i].host_port > 0)
			return true;
	return false;
}

/* One direction of the bandwidth capability; left out when the pod has no such annotation. */
static int bandwidth_add(json_t *to, const struct cni_sandbox *s, const char *annotation, const char *rate,
		    const char *burst, struct err *e)
{
	const char *text = pairs_get(s->annotations, annotation);
	int64_t bits = text ? cni_quantity(text) : 0;

	if (!text)
		return 0;
	if (bits < BITS_MIN || bits > BITS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "annotation %s: \"%.64s\" is no rate from 1k to 1P", annotation,
			       text);
	json_object_set_new(to, rate, json_integer(bits));
	json_object_set_new(to, burst, json_integer(UINT32_MAX)); /* as containerd: only the rate limits */
	return 0;
}

static json_t *json_texts(const struct strings *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(all, json_string(s->at[i]));
	return all;
}

json_t *cni_capabilities(const struct cni_sandbox *s, struct err *e)
{
	auto_json json_t *all = json_object(), *rates = json_object(), *notes = json_object();

	if (bandwidth_add(rates, s, "kubernetes.io/ingress-bandwidth", "ingressRate", "ingressBurst", e) < 0 ||
	    bandwidth_add(rates, s, "kubernetes.io/egress-bandwidth", "egressRate", "egressBurst", e) < 0)
		return NULL;
	for (size_t i = 0; i < s->annotations->n; i++)
		json_object_set_new(notes, s->annotations->at[i].key, json_string(s->annotations->at[i].value));
	if (cni_has_host_port(s))
		json_object_set_new(all, "portMappings", port_mappings(s));
	if (json_object_size(rates))
		json_object_set(all, "bandwidth", rates);
	if (s->dns->set)
		json_object_set_new(all, "dns",
				    json_pack("{s:o, s:o, s:o}", "servers", json_texts(&s->dns->servers), "searches",
					      json_texts(&s->dns->searches), "options", json_texts(&s->dns->options)));
	if (s->cgroup[0])
		json_object_set_new(all, "cgroupPath", json_string(s->cgroup));
	if (json_object_size(notes))
		json_object_set(all, "io.kubernetes.cri.pod-annotations", notes);
	return take_ptr(&all);
}

int cni_check(const struct cni_sandbox *s, struct err *e)
{
	struct arena *a = arena_new();
	auto_json json_t *told = cni_capabilities(s, e);
	int ret = told && cni_args(s, a, e) ? 0 : -1;

	arena_free(a);
	return ret;
}

int cni_told(const struct cni_sandbox *s, struct arena *a, const char **args, const char **caps, struct err *e)
{
	auto_json json_t *all = json_object();

	*args = cni_args(s, a, e);
	if (!*args)
		return -1;
	if (cni_has_host_port(s))
		json_object_set_new(all, "portMappings", port_mappings(s));
	*caps = json_text(a, all);
	return 0;
}
