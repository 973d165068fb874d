package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	// grace is what an evaluation may overrun its deadline by. OPA ends most of them within it; the rest is given up.
	grace = 10 * time.Millisecond
	// patience is how long an evaluation takes its share of Go's processors: as long as Go lets one run by itself.
	patience = 10 * time.Millisecond
)

// run is one evaluation that runs.
type run struct {
	start, due time.Time
	cancel     topdown.Cancel
	lost       func() // called once, in the place of an answer, when it is given up
	slow       bool
	crowded    atomic.Bool // it was cancelled because memory is full
}

// watch ends what runs too long, and keeps what runs long from holding up the rest. All evaluations share one alarm, set
// for the first moment that can matter: it mostly finds that one gone. A timer for each, as in a context with a deadline,
// would wake a thread for each.
type watch struct {
	lock    sync.Mutex
	running map[*run]struct{}
	alarm   *time.Timer
	rings   time.Time // zero while the alarm is off
	slow    int       // evaluations that are slow, the lost ones included
	lost    int       // evaluations that were given up and still run

	processors sync.Mutex // held while their number is being changed
}

func newWatch() *watch { return &watch{running: map[*run]struct{}{}} }

func (w *watch) begin(due time.Time, lost func()) *run {
	r := &run{start: time.Now(), due: due, cancel: topdown.NewCancel(), lost: lost}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.running[r] = struct{}{}
	w.ringFor(r, r.start)
	return r
}

// end reports whether the evaluation may still answer: it was not given up.
func (w *watch) end(r *run) bool {
	w.lock.Lock()
	_, ours := w.running[r]
	delete(w.running, r)
	if !ours {
		w.lost--
	}
	if r.slow {
		w.slow--
	}
	w.lock.Unlock()
	if r.slow {
		w.share()
	}
	return ours
}

// state is the number of evaluations that run, those that were given up included, and of the slow ones among them.
func (w *watch) state() (running, slow int) {
	w.lock.Lock()
	defer w.lock.Unlock()
	return len(w.running) + w.lost, w.slow
}

// ringFor sets the alarm for what comes next in an evaluation's life, if nothing is due before.
func (w *watch) ringFor(r *run, now time.Time) {
	at := r.due
	switch {
	case r.cancel.Cancelled():
		at = r.due.Add(grace)
	case !r.slow && r.start.Add(patience).Before(r.due):
		at = r.start.Add(patience)
	case memory.isSet() && now.Add(patience).Before(r.due):
		at = now.Add(patience)
	}
	if !w.rings.IsZero() && !at.Before(w.rings) {
		return
	}
	w.rings = at
	if w.alarm == nil {
		w.alarm = time.AfterFunc(time.Until(at), w.ring)
	} else {
		w.alarm.Reset(time.Until(at))
	}
}

func (w *watch) ring() {
	w.lock.Lock()
	now, slow := time.Now(), w.slow
	w.rings = time.Time{}
	for r := range w.running {
		w.look(r, now)
	}
	changed := w.slow != slow
	w.lock.Unlock()
	if changed {
		w.share()
	}
}

func (w *watch) look(r *run, now time.Time) {
	if !r.slow && now.Sub(r.start) >= patience {
		r.slow = true
		w.slow++
	}
	late := now.Sub(r.due)
	if r.slow && memory.isFull() {
		r.crowded.Store(true)
	}
	if late >= 0 || r.crowded.Load() {
		r.cancel.Cancel()
	}
	if late >= grace {
		delete(w.running, r)
		w.lost++
		r.lost()
		return
	}
	w.ringFor(r, now)
}

// share gives each slow evaluation a processor of Go's scheduler beside one for each CPU. Among those the kernel shares
// out the CPUs, by the millisecond and in favour of who has just woken; Go itself would make a short evaluation wait for
// 10 ms behind each slow one. To have so many always costs 5 % of an evaluation: the garbage collector keeps all busy.
func (w *watch) share() {
	w.processors.Lock()
	defer w.processors.Unlock()
	w.lock.Lock()
	number := cpus + w.slow
	w.lock.Unlock()
	runtime.GOMAXPROCS(number)
}
