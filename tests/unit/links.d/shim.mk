# Handlers of type shim: the test is the shim and its program.
$(patsubst %,$(BUILD)/tests/unit/procs/shim/%,test_shim test_shim_sandbox): $(patsubst %,$(BUILD)/tests/fakes/%.o,world program keeper)
