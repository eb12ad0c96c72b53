$(BUILD)/tests/unit/reactor/test_grpc_wire: $(BUILD)/tests/fakes/h2_peer.o
$(BUILD)/tests/unit/reactor/test_grpc_flood: $(BUILD)/tests/fakes/h2_peer.o
