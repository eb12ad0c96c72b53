/* validate.h - private to handlers/nri/: is a container allowed to be made as plugins want it?
 *
 * The validator of the configuration is NRI's default validator. Spec: github.com/containerd/nri,
 * plugins/default-validator, pkg/plugin/annotations.go. */
#ifndef HANDLERS_NRI_VALIDATE_H
#define HANDLERS_NRI_VALIDATE_H

#include "handlers/nri.h"
#include "nri.pb-c.h"
#include "reactor/json.h"

struct nri_plugins {
	Nri__PluginInstance **at; /* that were there when the container was asked for */
	size_t n;
};
void nri_plugins_now(struct nri_plugins *out, struct arena *arena);

/* FAILED_PRECONDITION: it is rejected, with the plugins and what they want. INVALID_ARGUMENT: an annotation of the pod
 * is not what it should be. container: as it was before any plugin changed it. */
int nri_validate(const struct nri_validator *config, const Nri__PodSandbox *pod, const Nri__Container *container,
		 const json_t *owners, const struct nri_plugins *plugins, struct err *e);

#endif
