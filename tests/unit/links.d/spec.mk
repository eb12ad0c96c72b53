# Tests of config.json: a pod and a machine in a few words.
$(addprefix $(BUILD)/tests/unit/procs/test_,config create join spec spec_user spec_security spec_mounts spec_resources): \
	$(BUILD)/tests/fakes/spec_pod.o
