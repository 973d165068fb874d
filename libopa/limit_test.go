package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestAPolicyThatIsMadeInTimeIsHandedOver(t *testing.T) {
	m := newMaker(time.Hour, 1)
	want := &policy{}
	if p, problems := m.within(func() (*policy, []problem) { return want, nil }); p != want || problems != nil {
		t.Errorf("%v %+v", p, problems)
	}
}

func TestAPanicWhileAPolicyIsMadeIsAProblem(t *testing.T) {
	m := newMaker(time.Hour, 1)
	_, problems := m.within(func() (*policy, []problem) { panic("secret of a policy") })
	if want := []problem{{Code: kindInternal, Message: "panic (string)"}}; !reflect.DeepEqual(problems, want) {
		t.Errorf("%+v", problems)
	}
}

func TestAPolicyThatTakesTooLongIsGivenUpAndNoMoreThanSoManyAre(t *testing.T) {
	m := newMaker(time.Millisecond, 1)
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
	untilNoneIsMade(m)
	if p, problems = m.within(func() (*policy, []problem) { return &policy{}, nil }); p == nil || problems != nil {
		t.Errorf("%v %+v", p, problems)
	}
}

func untilNoneIsMade(m *maker) {
	for len(m.places) > 0 {
		time.Sleep(time.Millisecond)
	}
}

func TestNoMorePoliciesAreMadeAtATimeThanMayBeLost(t *testing.T) {
	m := newMaker(time.Hour, 2)
	begun, end := make(chan int, 3), make(chan struct{})
	handedOver := make(chan *policy, 3)
	for i := range 3 {
		go func() {
			p, _ := m.within(func() (*policy, []problem) {
				begun <- i
				<-end
				return &policy{}, nil
			})
			handedOver <- p
		}()
	}
	<-begun
	<-begun
	select {
	case <-begun:
		t.Error("a third one began beside two that may be lost")
	case <-time.After(100 * time.Millisecond):
	}
	close(end)
	for range 3 {
		if p := <-handedOver; p == nil {
			t.Error("one that had waited for its place was not made")
		}
	}
}

func TestAPolicyWaitsNoLongerForAPlaceThanItMayTake(t *testing.T) {
	m := newMaker(time.Millisecond, 1)
	m.places <- struct{}{}
	if p, problems := m.within(func() (*policy, []problem) { return &policy{}, nil }); p != nil || !reflect.DeepEqual(problems, stillMaking) {
		t.Errorf("%v %+v", p, problems)
	}
}

// called is the handle and the text that an exported function gives for a text. A test has no types of C, but infers them.
func called[Char ~int8 | ~uint8, Size ~uint64, Handle ~int64](function func(*Char, Size, *Handle, *Size) *Char, text []byte) (int64, string) {
	var handle Handle
	var length Size
	said := function((*Char)(unsafe.Pointer(unsafe.SliceData(text))), Size(len(text)), &handle, &length)
	return int64(handle), strings.Clone(unsafe.String((*byte)(unsafe.Pointer(said)), int(length)))
}

// on is an exported function with its first argument, a handle.
func on[Char ~int8 | ~uint8, Size ~uint64, Handle ~int64](
	function func(Handle, *Char, Size, *Handle, *Size) *Char, handle int64,
) func(*Char, Size, *Handle, *Size) *Char {
	return func(text *Char, n Size, made *Handle, length *Size) *Char {
		return function(Handle(handle), text, n, made, length)
	}
}

// nested takes OPA a second to compile with 13 levels, and two to three times as much for each further one.
func nested(levels int) string {
	return fmt.Sprintf("package a\n\nd := %s1%s", strings.Repeat("[x | x := input[", levels), strings.Repeat("]]", levels))
}

func TestAnOldPolicyDecidesWhileItsSuccessorRunsIntoTheLimitAndAfterwards(t *testing.T) {
	usual := making
	t.Cleanup(func() { making = usual })
	making = newMaker(time.Hour, 1)
	old, said := called(libopa_prepare, specOf(t, "package a\nd := data.n", `{"n": 1}`, "a/d"))
	if old == 0 || said != "[]" {
		t.Fatal(said)
	}
	decides := func(handle int64, want string) {
		t.Helper()
		w := newWatch()
		run := w.begin(time.Now().Add(time.Minute), func() {})
		defer w.end(run)
		if a := evaluate(handle, question{input: "{}", time: noon}, run); string(a.result) != want || a.fail != nil {
			t.Errorf("%s %+v", a.result, a.fail)
		}
	}
	making.limit = time.Millisecond
	handle, said := called(libopa_prepare, specOf(t, nested(13), `{}`, "a/d"))
	want := `[{"code":"deadline","file":"","row":0,"col":0,"message":"the policy set is not compiled after 1ms"}]`
	if handle != 0 || said != want {
		t.Errorf("%d %s", handle, said)
	}
	decides(old, "1")
	if handle, said = called(libopa_prepare, specOf(t, "package a\nd := 2", `{}`, "a/d")); handle != 0 || said != string(list(stillMaking)) {
		t.Errorf("%d %s", handle, said)
	}
	fresh, said := called(on(libopa_replace_data, old), []byte(`{"n": 3}`))
	if fresh == 0 || said != "[]" {
		t.Errorf("data, for which nothing is compiled: %s", said)
	}
	decides(old, "1")
	decides(fresh, "3")
	untilNoneIsMade(making)
	making.limit = time.Hour
	next, said := called(libopa_prepare, specOf(t, "package a\nd := 2", `{}`, "a/d"))
	if next == 0 || said != "[]" {
		t.Errorf("%s", said)
	}
	decides(next, "2")
}

func TestTemplateStringsNestNoDeeperThanOPACompilesThem(t *testing.T) {
	nest := func(levels int) string {
		return "package a\nd := " + strings.Repeat(`$"{`, levels) + "1" + strings.Repeat(`}"`, levels)
	}
	p := policyFrom(t, nest(maxTemplateLevels), `{}`, "a/d")
	if got, fail := ask(p, `{}`, time.Minute); string(got) != `"1"` || fail != nil {
		t.Errorf("%s %+v", got, fail)
	}
	for _, levels := range []int{maxTemplateLevels + 1, 200, 8_000} {
		_, problems := prepare(specOf(t, nest(levels), `{}`, "a/d"))
		if len(problems) != 1 || problems[0].Code != codeLimit || problems[0].File == "" {
			t.Errorf("%d: %+v", levels, problems)
		}
	}
}
