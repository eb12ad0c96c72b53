// The runc shim of containerd with the sandbox API: for tests of `sandbox: api`. A sandbox is a `sleep`, which is killed by StopSandbox;
// when it dies, WaitSandbox tells so. The file `calls` beside the program gets each call, and the file `mode` makes one go wrong:
// METHOD error|hang|die|end|pid N.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	cgroups "github.com/containerd/cgroups/v3/cgroup1/stats"
	api "github.com/containerd/containerd/api/runtime/sandbox/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task/plugin"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/pkg/sys/reaper"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type sandbox struct {
	shutdown      shutdown.Service
	mu            sync.Mutex
	id            string
	cmd           *exec.Cmd
	ended         chan struct{}
	status        uint32
	begun, exited time.Time
}

func beside(name string) string {
	self, _ := os.Executable()
	return filepath.Join(filepath.Dir(self), name)
}

// call notes a call, and does what the file `mode` says of its method. The words behind the method; an error is the answer.
func call(method string, request any) ([]string, error) {
	text, _ := json.Marshal(request)
	if f, err := os.OpenFile(beside("calls"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
		fmt.Fprintf(f, "%s %s\n", method, text)
		f.Close()
	}
	data, _ := os.ReadFile(beside("mode"))
	words := strings.Fields(string(data))
	if len(words) < 2 || words[0] != method {
		return []string{""}, nil
	}
	switch words[1] {
	case "error":
		return words[1:], errgrpc.ToGRPCf(errdefs.ErrUnknown, "%s goes wrong", method)
	case "hang":
		select {}
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return words[1:], nil
}

// find is nil where the sandbox is known.
func (s *sandbox) find(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != id || id == "" {
		return errgrpc.ToGRPCf(errdefs.ErrNotFound, "no sandbox %s", id)
	}
	return nil
}

func (s *sandbox) CreateSandbox(_ context.Context, r *api.CreateSandboxRequest) (*api.CreateSandboxResponse, error) {
	told := map[string]any{"id": r.SandboxID, "bundle": r.BundlePath, "netns": r.NetnsPath, "annotations": r.Annotations,
		"type": r.Options.GetTypeUrl(), "config": r.Options.GetValue()}
	if _, err := call("CreateSandbox", told); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = r.SandboxID
	s.ended = make(chan struct{})
	return &api.CreateSandboxResponse{}, nil
}

func (s *sandbox) StartSandbox(_ context.Context, r *api.StartSandboxRequest) (*api.StartSandboxResponse, error) {
	words, err := call("StartSandbox", r.SandboxID)
	if err == nil {
		err = s.find(r.SandboxID)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := exec.Command("sleep", "infinity")
	cmd.Dir = "/"
	ends, err := reaper.Default.Start(cmd)
	if err != nil {
		return nil, err
	}
	s.cmd, s.begun = cmd, time.Now()
	go func() {
		status, _ := reaper.Default.Wait(cmd, ends)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.status, s.exited = uint32(status), time.Now()
		close(s.ended)
	}()
	pid := cmd.Process.Pid
	if words[0] == "pid" {
		fmt.Sscan(words[1], &pid)
	}
	return &api.StartSandboxResponse{Pid: uint32(pid), CreatedAt: timestamppb.New(s.begun)}, nil
}

func (s *sandbox) Platform(_ context.Context, r *api.PlatformRequest) (*api.PlatformResponse, error) {
	words, err := call("Platform", r.SandboxID)
	os := goruntime.GOOS
	if words[0] == "os" {
		os = words[1]
	}
	return &api.PlatformResponse{Platform: &types.Platform{OS: os, Architecture: goruntime.GOARCH}}, err
}

func (s *sandbox) StopSandbox(_ context.Context, r *api.StopSandboxRequest) (*api.StopSandboxResponse, error) {
	_, err := call("StopSandbox", r.SandboxID)
	if err == nil {
		err = s.find(r.SandboxID)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	cmd, ended := s.cmd, s.ended
	s.mu.Unlock()
	if cmd != nil {
		cmd.Process.Kill()
		<-ended
	}
	return &api.StopSandboxResponse{}, nil
}

func (s *sandbox) WaitSandbox(ctx context.Context, r *api.WaitSandboxRequest) (*api.WaitSandboxResponse, error) {
	words, err := call("WaitSandbox", r.SandboxID)
	if err == nil {
		err = s.find(r.SandboxID)
	}
	if err != nil {
		return nil, err
	}
	if words[0] == "end" { // a false one
		return &api.WaitSandboxResponse{ExitedAt: timestamppb.Now()}, nil
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &api.WaitSandboxResponse{ExitStatus: s.status, ExitedAt: timestamppb.New(s.exited)}, nil
}

func (s *sandbox) SandboxStatus(_ context.Context, r *api.SandboxStatusRequest) (*api.SandboxStatusResponse, error) {
	_, err := call("SandboxStatus", r.SandboxID)
	if err == nil {
		err = s.find(r.SandboxID)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &api.SandboxStatusResponse{SandboxID: s.id, State: "SANDBOX_READY", CreatedAt: timestamppb.New(s.begun)}
	if s.cmd != nil {
		out.Pid = uint32(s.cmd.Process.Pid)
	}
	if !s.exited.IsZero() {
		out.State, out.ExitedAt = "SANDBOX_NOTREADY", timestamppb.New(s.exited)
	}
	if r.Verbose {
		out.Info = map[string]string{"shim": "of the tests"}
	}
	return out, nil
}

func (s *sandbox) PingSandbox(_ context.Context, r *api.PingRequest) (*api.PingResponse, error) {
	_, err := call("PingSandbox", r.SandboxID)
	return &api.PingResponse{}, err
}

func (s *sandbox) ShutdownSandbox(_ context.Context, r *api.ShutdownSandboxRequest) (*api.ShutdownSandboxResponse, error) {
	_, err := call("ShutdownSandbox", r.SandboxID)
	if err == nil {
		s.shutdown.Shutdown()
	}
	return &api.ShutdownSandboxResponse{}, err
}

// SandboxMetrics are a second of CPU time and 100 MB of memory, as of a virtual machine that is in no group of the node.
func (s *sandbox) SandboxMetrics(_ context.Context, r *api.SandboxMetricsRequest) (*api.SandboxMetricsResponse, error) {
	if _, err := call("SandboxMetrics", r.SandboxID); err != nil {
		return nil, err
	}
	data, err := proto.Marshal(&cgroups.Metrics{
		CPU:    &cgroups.CPUStat{Usage: &cgroups.CPUUsage{Total: uint64(time.Second)}},
		Memory: &cgroups.MemoryStat{Usage: &cgroups.MemoryEntry{Usage: 123456789}, TotalInactiveFile: 23456789},
	})
	if err != nil {
		return nil, err
	}
	any, err := typeurl.MarshalAnyToProto(&cgroups.Metrics{})
	if err != nil {
		return nil, err
	}
	any.Value = data
	return &api.SandboxMetricsResponse{Metrics: &types.Metric{ID: r.SandboxID, Timestamp: timestamppb.Now(), Data: any}}, nil
}

func (s *sandbox) RegisterTTRPC(server *ttrpc.Server) error {
	api.RegisterTTRPCSandboxService(server, s)
	return nil
}

func main() {
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "sandbox",
		Requires: []plugin.Type{plugins.InternalPlugin},
		InitFn: func(ic *plugin.InitContext) (any, error) {
			down, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
			if err != nil {
				return nil, err
			}
			return &sandbox{shutdown: down.(shutdown.Service)}, nil
		},
	})
	shim.RunShim(context.Background(), manager.NewShimManager("io.containerd.sandboxed.v2"))
}
