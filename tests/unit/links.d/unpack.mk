# The unpacker's tests run the real program on layers made in memory; the driver's test plays the keeper.
unpack.tests := $(addprefix $(BUILD)/tests/unit/images/unpack/test_,layer single stream hostile parents sparse confine volumes sum) \
	$(BUILD)/tests/unit/images/test_tree
$(unpack.tests): $(BUILD)/tests/fakes/layer.o $(BUILD)/tests/fakes/pack.o | $(BUILD)/crisp-unpack $(BUILD)/crisp-tree
$(BUILD)/tests/unit/images/test_unpack: $(BUILD)/tests/fakes/child.o
# This one calls the confinement itself.
$(BUILD)/tests/unit/images/unpack/test_confine: $(patsubst %,$(BUILD)/images/unpack/%.o,confine ahead)
# What the writer of tars writes, the reader reads.
$(BUILD)/tests/unit/images/unpack/test_tarout: $(patsubst %,$(BUILD)/images/unpack/%.o,tarout tar pax sparse inflate input ahead confine)

$(BUILD)/tests/unit/images/unpack/test_volumes: $(BUILD)/images/unpack/shift.o
$(BUILD)/tests/unit/images/unpack/test_sum: $(patsubst %,$(BUILD)/images/unpack/%.o,sum contents)
# This one labels as root with all its rights: without SELinux the kernel wants them.
$(BUILD)/tests/unit/images/test_tree: $(BUILD)/images/tree/walk.o
