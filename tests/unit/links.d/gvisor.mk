# what the tests of handlers whose sandbox is a container link
$(BUILD)/tests/unit/procs/oci/test_inside: $(BUILD)/tests/fakes/world.o $(BUILD)/tests/fakes/program.o $(BUILD)/tests/fakes/keeper.o
