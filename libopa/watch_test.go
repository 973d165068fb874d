package main

import (
	"runtime"
	"testing"
	"time"
)

func TestARunThatIsOverdueIsCancelledAndThenLost(t *testing.T) {
	w, lost := newWatch(), make(chan time.Time, 1)
	due := time.Now().Add(20 * time.Millisecond)
	r := w.begin(due, func() { lost <- time.Now() })
	if at := <-lost; at.Before(due.Add(grace)) || !r.cancel.Cancelled() || w.end(r) {
		t.Errorf("lost %v after its deadline, cancelled: %v", at.Sub(due), r.cancel.Cancelled())
	}
}

func TestARunThatEndsInTimeIsNotLost(t *testing.T) {
	w, lost := newWatch(), make(chan string, 2)
	early := w.begin(time.Now().Add(time.Millisecond), func() { lost <- "early" })
	if !w.end(early) {
		t.Error("it was given up")
	}
	defer w.end(w.begin(time.Now().Add(30*time.Millisecond), func() { lost <- "late" }))
	if name := <-lost; name != "late" {
		t.Error(name)
	}
}

func TestAnEarlierDeadlineComesFirst(t *testing.T) {
	w, lost := newWatch(), make(chan string, 2)
	defer w.end(w.begin(time.Now().Add(time.Hour), func() { lost <- "later" }))
	defer w.end(w.begin(time.Now().Add(time.Millisecond), func() { lost <- "sooner" }))
	if name := <-lost; name != "sooner" {
		t.Error(name)
	}
}

func TestASlowRunHasAProcessorOfItsOwnUntilItEndsEvenIfItIsLost(t *testing.T) {
	w, lost := newWatch(), make(chan int, 1)
	r := w.begin(time.Now().Add(10*patience), func() { lost <- runtime.GOMAXPROCS(0) })
	during := <-lost
	w.end(r)
	if after := runtime.GOMAXPROCS(0); during != cpus+1 || after != cpus {
		t.Errorf("%d while it ran, %d after", during, after)
	}
}
