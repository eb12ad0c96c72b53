# crispd's end of crisp-net: the test is the helper, and turns the clock.
$(BUILD)/tests/unit/procs/test_net: $(patsubst %,$(BUILD)/tests/fakes/%.o,world child)
