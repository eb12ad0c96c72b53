/* event.c - see event.h. Spec: NRI's api.proto, enum Event and service Plugin; pkg/api/plugin.go. */
#include "handlers/nri/event.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "handlers/nri.h"

const char *nri_event_method(int event)
{
	static const char *const methods[] = {
		[NRI_RUN_POD] = "RunPodSandbox",
		[NRI_STOP_POD] = "StopPodSandbox",
		[NRI_REMOVE_POD] = "RemovePodSandbox",
		[NRI_CREATE] = "CreateContainer",
		[NRI_POST_CREATE] = "PostCreateContainer",
		[NRI_START] = "StartContainer",
		[NRI_POST_START] = "PostStartContainer",
		[NRI_UPDATE] = "UpdateContainer",
		[NRI_POST_UPDATE] = "PostUpdateContainer",
		[NRI_STOP] = "StopContainer",
		[NRI_REMOVE] = "RemoveContainer",
		[NRI_UPDATE_POD] = "UpdatePodSandbox",
		[NRI_POST_UPDATE_POD] = "PostUpdatePodSandbox",
		[NRI_VALIDATE] = "ValidateContainerAdjustment",
	};

	return event > 0 && (size_t)event < sizeof(methods) / sizeof(*methods) ? methods[event] : NULL;
}

bool nri_good_name(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("-_.+", s[i]))
			return false;
	return len > 0 && len <= NRI_NAME_MAX;
}

bool nri_good_idx(const char *s)
{
	return strlen(s) == 2 && isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]);
}
