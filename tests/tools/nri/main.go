// nri-probe: an NRI plugin for the tests, over NRI's own library. It writes what it hears, a line for each event, and does what
// annotations of the pod ask for: probe/ACTION[.INDEX]: VALUE. With an index only the plugin of that index acts.
//
// Actions at CreateContainer: env K=V, unenv K, annotate K=V, mount FROM:TO, device PATH:TYPE:MAJOR:MINOR, hook PATH, rlimit TYPE=N,
// oom N, memory N, cpus LIST, pids N, cdi NAME, arg0 WORD, sysctl K=V, seccomp CALL (which is then EPERM), rule TYPE:MAJOR:MINOR:ACCESS,
// ioprio (which crisp refuses), garbage (a device of no type), update (all other containers of the pod get memory N), own (an update of
// the container itself). At any event: fail EVENT, hang EVENT, die EVENT, pause EVENT/CONTAINER=FILE (until the file is there). With -validate it validates too: reject CONTAINER=WORDS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

type probe struct {
	mu     sync.Mutex
	idx    string
	others map[string]string // container: its pod
}

func (p *probe) say(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Printf(format+"\n", a...)
}

// asked: the values of an action.
func (p *probe) asked(pod *api.PodSandbox, action string) (string, bool) {
	for _, key := range []string{"probe/" + action + "." + p.idx, "probe/" + action} {
		if v, ok := pod.GetAnnotations()[key]; ok {
			return v, true
		}
	}
	return "", false
}

func (p *probe) hear(event string, pod *api.PodSandbox, c *api.Container) error {
	p.say("%s %s %s", event, pod.GetName(), c.GetName())
	if v, ok := p.asked(pod, "hang"); ok && v == event {
		time.Sleep(time.Hour)
	}
	if e, file, _ := strings.Cut(first(p.asked(pod, "pause")), "="); e == event+"/"+c.GetName() {
		for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if v, ok := p.asked(pod, "die"); ok && v == event {
		os.Exit(3)
	}
	if v, ok := p.asked(pod, "fail"); ok && v == event {
		return fmt.Errorf("probe does not want %s", event)
	}
	return nil
}

func (p *probe) Configure(_ context.Context, config, runtime, version string) (stub.EventMask, error) {
	p.say("Configure %s %q", runtime, config)
	if strings.TrimSpace(config) == "refuse" {
		return 0, fmt.Errorf("probe was told to refuse")
	}
	return 0, nil
}

func (p *probe) Synchronize(_ context.Context, pods []*api.PodSandbox, cs []*api.Container) ([]*api.ContainerUpdate, error) {
	for _, pod := range pods {
		p.say("Synchronize pod %s", pod.Name)
	}
	for _, c := range cs {
		p.others[c.Id] = c.PodSandboxId
		p.say("Synchronize container %s %s", c.Name, c.State)
	}
	p.say("Synchronized")
	return nil, nil
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func (p *probe) CreateContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	if err := p.hear("CreateContainer", pod, c); err != nil {
		return nil, nil, err
	}
	places := []string{}
	for _, m := range c.Mounts {
		places = append(places, m.Destination)
	}
	p.say("sees env=%s args=%s mounts=%s", strings.Join(c.Env, ","), strings.Join(c.Args, ","), strings.Join(places, ","))
	a := &api.ContainerAdjustment{}
	two := func(action, sep string, do func(k, v string)) {
		if v, ok := p.asked(pod, action); ok {
			k, w, _ := strings.Cut(v, sep)
			do(k, w)
		}
	}
	two("env", "=", a.AddEnv)
	two("unenv", "=", func(k, _ string) { a.RemoveEnv(k) })
	two("annotate", "=", a.AddAnnotation)
	two("mount", ":", func(from, to string) {
		a.AddMount(&api.Mount{Source: from, Destination: to, Type: "bind", Options: []string{"rbind", "ro"}})
	})
	two("device", ":", func(path, rest string) {
		f := strings.Split(rest, ":")
		a.AddDevice(&api.LinuxDevice{Path: path, Type: f[0], Major: number(f[1]), Minor: number(f[2])})
	})
	two("garbage", "", func(_, _ string) { a.AddDevice(&api.LinuxDevice{Path: "/dev/x", Type: "zz"}) })
	two("hook", ":", func(path, _ string) {
		a.AddHooks(&api.Hooks{CreateRuntime: []*api.Hook{{Path: path, Args: []string{"hook"}}}})
	})
	two("rlimit", "=", func(k, v string) { a.AddRlimit(k, uint64(number(v)), uint64(number(v))) })
	two("oom", "=", func(v, _ string) { n := int(number(v)); a.SetLinuxOomScoreAdj(&n) })
	two("memory", "=", func(v, _ string) { a.SetLinuxMemoryLimit(number(v)) })
	two("cpus", "=", func(v, _ string) { a.SetLinuxCPUSetCPUs(v) })
	two("pids", "=", func(v, _ string) { a.SetLinuxPidLimits(number(v)) })
	two("cdi", "\x00", func(v, _ string) { a.AddCDIDevice(&api.CDIDevice{Name: v}) })
	two("arg0", "\x00", func(v, _ string) { a.SetArgs(append([]string{v}, c.Args...)) })
	two("sysctl", "=", a.SetLinuxSysctl)
	two("seccomp", "\x00", func(call, _ string) {
		a.SetLinuxSeccompPolicy(&api.LinuxSeccomp{DefaultAction: "SCMP_ACT_ALLOW",
			Syscalls: []*api.LinuxSyscall{{Names: []string{call}, Action: "SCMP_ACT_ERRNO"}}})
	})
	two("rule", ":", func(kind, rest string) {
		f := strings.Split(rest, ":")
		if a.Linux == nil {
			a.Linux = &api.LinuxContainerAdjustment{}
		}
		if a.Linux.Resources == nil {
			a.Linux.Resources = &api.LinuxResources{}
		}
		a.Linux.Resources.Devices = append(a.Linux.Resources.Devices, &api.LinuxDeviceCgroup{Allow: true, Type: kind,
			Major: api.Int64(number(f[0])), Minor: api.Int64(number(f[1])), Access: f[2]})
	})
	two("ioprio", "=", func(_, _ string) {
		a.SetLinuxIOPriority(&api.LinuxIOPriority{Class: api.IOPrioClass_IOPRIO_CLASS_BE, Priority: 7})
	})
	var updates []*api.ContainerUpdate
	two("update", "=", func(v, _ string) {
		for id, of := range p.others {
			if of == pod.Id {
				u := &api.ContainerUpdate{}
				u.SetContainerId(id)
				u.SetLinuxMemoryLimit(number(v))
				updates = append(updates, u)
			}
		}
	})
	two("own", "=", func(v, _ string) {
		u := &api.ContainerUpdate{}
		u.SetContainerId(c.Id)
		u.SetLinuxMemoryLimit(number(v))
		updates = append(updates, u)
	})
	p.others[c.Id] = pod.Id
	return a, updates, nil
}

func (p *probe) UpdateContainer(_ context.Context, pod *api.PodSandbox, c *api.Container, r *api.LinuxResources) ([]*api.ContainerUpdate, error) {
	if err := p.hear("UpdateContainer", pod, c); err != nil {
		return nil, err
	}
	p.say("asked memory=%d", r.GetMemory().GetLimit().GetValue())
	if v, ok := p.asked(pod, "more"); ok {
		u := &api.ContainerUpdate{}
		u.SetContainerId(c.Id)
		u.SetLinuxMemoryLimit(number(v))
		return []*api.ContainerUpdate{u}, nil
	}
	return nil, nil
}

func (p *probe) StopContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) ([]*api.ContainerUpdate, error) {
	delete(p.others, c.Id)
	return nil, p.hear("StopContainer", pod, c)
}

func (p *probe) RunPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.hear("RunPodSandbox", pod, nil)
}
func (p *probe) UpdatePodSandbox(_ context.Context, pod *api.PodSandbox, overhead, all *api.LinuxResources) error {
	if err := p.hear("UpdatePodSandbox", pod, nil); err != nil {
		return err
	}
	p.say("asked overhead=%d memory=%d", overhead.GetMemory().GetLimit().GetValue(), all.GetMemory().GetLimit().GetValue())
	return nil
}
func (p *probe) PostUpdatePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.hear("PostUpdatePodSandbox", pod, nil)
}
func (p *probe) StopPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.hear("StopPodSandbox", pod, nil)
}
func (p *probe) RemovePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.hear("RemovePodSandbox", pod, nil)
}
func (p *probe) PostCreateContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) error {
	return p.hear("PostCreateContainer", pod, c)
}
func (p *probe) StartContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) error {
	return p.hear("StartContainer", pod, c)
}
func (p *probe) PostStartContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) error {
	return p.hear("PostStartContainer", pod, c)
}
func (p *probe) PostUpdateContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) error {
	return p.hear("PostUpdateContainer", pod, c)
}
func (p *probe) RemoveContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) error {
	return p.hear("RemoveContainer", pod, c)
}

func first(v string, _ bool) string { return v }

// A validator sees what all plugins want, and who.
type validator struct{ *probe }

func (v *validator) ValidateContainerAdjustment(_ context.Context, r *api.ValidateContainerAdjustmentRequest) error {
	if err := v.hear("ValidateContainerAdjustment", r.GetPod(), r.GetContainer()); err != nil {
		return err
	}
	names := []string{}
	for _, p := range r.Plugins {
		names = append(names, p.Index+"-"+p.Name)
	}
	sort.Strings(names)
	id := r.GetContainer().GetId()
	for _, kv := range r.GetAdjust().GetEnv() {
		owner, _ := r.GetOwners().EnvOwner(id, kv.Key)
		v.say("validates env %s=%s of %s", kv.Key, kv.Value, owner)
	}
	if owner, ok := r.GetOwners().MemLimitOwner(id); ok {
		v.say("validates memory %d of %s", r.GetAdjust().GetLinux().GetResources().GetMemory().GetLimit().GetValue(), owner)
	}
	v.say("validates updates=%d plugins=%s image=%s env=%s", len(r.Update), strings.Join(names, ","), r.Container.GetImage().GetName(),
		strings.Join(r.Container.Env, ","))
	name, words, _ := strings.Cut(first(v.asked(r.GetPod(), "reject")), "=")
	if name != "" && name == r.GetContainer().GetName() {
		return errors.New(words)
	}
	return nil
}

func main() {
	name := flag.String("name", "probe", "")
	idx := flag.String("idx", os.Getenv("NRI_PLUGIN_IDX"), "")
	socket := flag.String("socket", "", "of the runtime; empty: the plugin was pre-installed")
	out := flag.String("out", os.Getenv("PROBE_OUT"), "where it writes")
	validate := flag.Bool("validate", false, "validate what plugins want")
	strict := flag.Bool("strict", false, "requests that it does not answer are to fail")
	flag.Parse()
	if *out == "" {
		*out = filepath.Join(filepath.Dir(os.Args[0]), "..", filepath.Base(os.Args[0])+".out")
	}
	f, err := os.OpenFile(*out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0600)
	if err == nil {
		os.Stdout = f
	}
	p := &probe{idx: *idx, others: map[string]string{}}
	opts := []stub.Option{}
	if *socket != "" {
		opts = append(opts, stub.WithSocketPath(*socket), stub.WithPluginName(*name), stub.WithPluginIdx(*idx))
	}
	if *strict {
		opts = append(opts, stub.WithFailurePolicy(&api.FailurePolicy{FailRequest: true}))
	}
	var plugin any = p
	if *validate {
		plugin = &validator{p}
	}
	s, err := stub.New(plugin, opts...)
	if err == nil {
		err = s.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nri-probe:", err)
		os.Exit(1)
	}
}
