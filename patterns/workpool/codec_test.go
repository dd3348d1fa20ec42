// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"errors"
	"reflect"
	"testing"
)

type sample struct {
	Name  string
	Sizes []int
}

func TestCodecs(t *testing.T) {
	l := limited[sample]{JSON[sample]{}, 40}
	value := sample{"a", []int{1, 2}}
	payload, err := l.encode(value)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.decode(payload); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := l.encode(sample{Sizes: make([]int, 30)}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := l.decode(make([]byte, 41)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if got, err := l.decode([]byte("{")); err == nil {
		t.Errorf("%+v", got)
	}
	octets, _ := Bytes{}.Encode([]byte("xy"))
	if got, err := (Bytes{}).Decode(octets); err != nil || string(got) != "xy" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzDecode: whatever a worker sends as a result is a value or an error.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"Name":"a","Sizes":[1,2]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		value, err := JSON[sample]{}.Decode(payload)
		if err != nil {
			return
		}
		again, err := JSON[sample]{}.Encode(value)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := (JSON[sample]{}).Decode(again); err != nil || !reflect.DeepEqual(same, value) {
			t.Errorf("%+v comes back as %+v, %v", value, same, err)
		}
	})
}
