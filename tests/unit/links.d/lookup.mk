# Look-ups: the test is the child, and turns the clock.
$(BUILD)/tests/unit/reactor/test_lookup: $(patsubst %,$(BUILD)/tests/fakes/%.o,world child)
