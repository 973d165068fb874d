package main

import (
	"reflect"
	"testing"
	"time"
)

func TestAPolicyThatIsMadeInTimeIsHandedOver(t *testing.T) {
	m := maker{limit: time.Hour, maxLost: 1}
	want := &policy{}
	if p, problems := m.within(func() (*policy, []problem) { return want, nil }); p != want || problems != nil {
		t.Errorf("%v %+v", p, problems)
	}
}

func TestAPanicWhileAPolicyIsMadeIsAProblem(t *testing.T) {
	m := maker{limit: time.Hour, maxLost: 1}
	_, problems := m.within(func() (*policy, []problem) { panic("secret of a policy") })
	if want := []problem{{Code: kindInternal, Message: "panic (string)"}}; !reflect.DeepEqual(problems, want) {
		t.Errorf("%+v", problems)
	}
}

func TestAPolicyThatTakesTooLongIsGivenUpAndNoMoreThanSoManyAre(t *testing.T) {
	m := maker{limit: time.Millisecond, maxLost: 1}
	end := make(chan struct{})
	endless := func() (*policy, []problem) {
		<-end
		return &policy{}, nil
	}
	p, problems := m.within(endless)
	if want := []problem{{Code: kindDeadline, Message: "the policy set is not compiled after 1ms"}}; p != nil || !reflect.DeepEqual(problems, want) {
		t.Errorf("%v %+v", p, problems)
	}
	m.limit = time.Hour
	p, problems = m.within(func() (*policy, []problem) { return &policy{}, nil })
	if want := []problem{{Code: kindDeadline, Message: "policy sets that took too long are still being compiled"}}; p != nil || !reflect.DeepEqual(problems, want) {
		t.Errorf("%v %+v", p, problems)
	}
	close(end)
	for m.lost.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	if p, problems = m.within(func() (*policy, []problem) { return &policy{}, nil }); p == nil || problems != nil {
		t.Errorf("%v %+v", p, problems)
	}
}
