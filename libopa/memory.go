package main

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	heapBytes     = "/memory/classes/heap/objects:bytes" // what lives, and what lives no more and is not swept yet
	totalBytes    = "/memory/classes/total:bytes"
	releasedBytes = "/memory/classes/heap/released:bytes"
	collections   = "/gc/cycles/total:gc-cycles"
)

// glance is how old a look at the heap may be: one takes some microseconds, which each evaluation would pay.
const glance = time.Millisecond

// pause keeps a heap that is full of what lives from being collected all the time.
const pause = 100 * time.Millisecond

var started = time.Now()

// guard knows whether Go's heap is above its ceiling. Go has no way to refuse an allocation: what it can do is to take no
// further evaluation, and to cancel those that have run for a while.
type guard struct {
	ceiling    atomic.Int64 // bytes; 0: none
	looked     atomic.Int64 // nanoseconds since the start
	full       atomic.Bool
	collecting atomic.Bool
}

var memory guard

func (g *guard) isSet() bool { return g.ceiling.Load() > 0 }

// isFull looks anew when the last look is old. Where garbage fills the heap, a collection is on its way.
func (g *guard) isFull() bool {
	if !g.isSet() {
		return false
	}
	now, looked := int64(time.Since(started)), g.looked.Load()
	if now-looked < int64(glance) || !g.looked.CompareAndSwap(looked, now) {
		return g.full.Load()
	}
	full := int64(measure(heapBytes)[0]) > g.ceiling.Load()
	g.full.Store(full)
	if full && g.collecting.CompareAndSwap(false, true) {
		go func() {
			runtime.GC()
			time.Sleep(pause)
			g.collecting.Store(false)
		}()
	}
	return full
}

func measure(names ...string) []uint64 {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	values := make([]uint64, len(names))
	for i, sample := range samples {
		values[i] = sample.Value.Uint64()
	}
	return values
}
