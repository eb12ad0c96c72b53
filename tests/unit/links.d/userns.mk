# A runtime in a user namespace: programs and the keeper are played.
$(BUILD)/tests/unit/procs/oci/test_userns: $(patsubst %,$(BUILD)/tests/fakes/%.o,world program keeper)
$(BUILD)/tests/unit/procs/oci/test_runtime: $(BUILD)/tests/fakes/keeper.o
# CDI files in the directory of a pod that the test describes.
$(BUILD)/tests/unit/procs/spec/test_cdi: $(BUILD)/tests/fakes/spec_pod.o
# Files of hooks.d too.
$(BUILD)/tests/unit/procs/spec/test_hooks: $(BUILD)/tests/fakes/spec_pod.o
# A parser that does as it is told.
$(BUILD)/tests/unit/procs/test_apparmor: $(patsubst %,$(BUILD)/tests/fakes/%.o,world program)
