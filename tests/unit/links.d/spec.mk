# Tests of config.json: a pod and a machine in a few words.
$(addprefix $(BUILD)/tests/unit/procs/,test_cri_config test_create test_join test_spec spec/test_user spec/test_security spec/test_mounts \
	spec/test_resources): \
	$(BUILD)/tests/fakes/spec_pod.o
