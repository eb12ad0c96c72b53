# A runtime in a user namespace: programs and the keeper are played.
$(BUILD)/tests/unit/procs/test_oci_userns: $(patsubst %,$(BUILD)/tests/fakes/%.o,world program keeper)
$(BUILD)/tests/unit/procs/test_oci_runtime: $(BUILD)/tests/fakes/keeper.o
