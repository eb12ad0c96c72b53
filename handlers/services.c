/* services.c - see services.h. */
#include "handlers/services.h"

#include "api.pb-c.h"
#include "containerd.pb-c.h"
#include "crisp.pb-c.h"

/* When a method is served (last column of services.def): READY once recovery has ended, ALWAYS also before. */
enum served { READY, ALWAYS };

static struct rpc_method methods[] = {
#define RPC(service, method, handler, served) \
	{ &runtime__v1__##service##_descriptor_, "/runtime.v1." #service "/" #method, handler, \
	  (served) == ALWAYS, NULL },
#define runtime__v1__RuntimeService_descriptor_ runtime__v1__runtime_service__descriptor
#define runtime__v1__ImageService_descriptor_ runtime__v1__image_service__descriptor
#define CONTAINERD(package, service, method, handler, served) \
	{ &containerd__##service##__descriptor, "/containerd.services." package "/" #method, handler, \
	  (served) == ALWAYS, NULL },
#define NODE(method, handler, served) \
	{ &crisp__v1__node__descriptor, "/crisp.v1.Node/" #method, handler, (served) == ALWAYS, NULL },
#include "handlers/services.def"
#undef RPC
#undef CONTAINERD
#undef NODE
};

grpc_fn *services_open(void)
{
	return rpc_open(methods, sizeof(methods) / sizeof(*methods));
}
