# Handlers of type shim: the test is the shim and its program.
$(BUILD)/tests/unit/procs/shim/test_shim: $(patsubst %,$(BUILD)/tests/fakes/%.o,world program keeper)
