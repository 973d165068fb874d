package main

import (
	"testing"
	"time"
)

// ceiling sets one for a test, and makes the guard look again at once.
func ceiling(t *testing.T, bytes int64) {
	t.Helper()
	set := func(bytes int64) {
		memory.ceiling.Store(bytes)
		memory.looked.Store(-int64(time.Hour))
	}
	set(bytes)
	t.Cleanup(func() { set(0) })
}

func TestWithoutACeilingMemoryIsNeverFull(t *testing.T) {
	if memory.isFull() {
		t.Error("it is")
	}
}

func TestMemoryIsFullAboveTheCeilingAndNotBelow(t *testing.T) {
	ceiling(t, 1)
	if !memory.isFull() {
		t.Error("a heap below one byte")
	}
	ceiling(t, 1<<40)
	if memory.isFull() {
		t.Error("a heap above a terabyte")
	}
}

func TestALookThatIsFreshIsNotRepeated(t *testing.T) {
	ceiling(t, 1)
	memory.looked.Store(int64(time.Since(started) + time.Hour))
	memory.full.Store(false)
	if memory.isFull() {
		t.Error("it looked")
	}
}

func TestASlowEvaluationEndsWhenMemoryIsFull(t *testing.T) {
	p := policyFrom(t, `package a
d := [x | some x in numbers.range(1, 100000000)]`, `{}`, "a/d")
	ceiling(t, int64(measure(heapBytes)[0])+64<<20)
	start := time.Now()
	if _, fail := ask(p, `{}`, 30*time.Second); fail != crowded {
		t.Errorf("%+v after %v", fail, time.Since(start))
	}
}
