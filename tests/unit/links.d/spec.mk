# Tests of config.json: a pod and a machine in a few words.
$(BUILD)/tests/unit/procs/test_spec $(BUILD)/tests/unit/procs/test_spec_user $(BUILD)/tests/unit/procs/test_spec_security \
$(BUILD)/tests/unit/procs/test_spec_mounts $(BUILD)/tests/unit/procs/test_spec_resources \
$(BUILD)/tests/unit/procs/test_create: $(BUILD)/tests/fakes/spec_pod.o
