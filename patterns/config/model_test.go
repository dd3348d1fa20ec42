// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestJSON: what a program logs or stores in JSON has names of the field's kind, and comes back as it was.
func TestJSON(t *testing.T) {
	epoch := Epoch{Number: 3, Authority: [8]byte{0xab, 1}}
	entry := Entry{Key: "web/port", Value: []byte("80"), Revision: 7}
	for want, value := range map[string]any{
		`{"key":"web/port","value":"ODA=","revision":7}`: &entry,
		`{"key":"web/a","value":null,"revision":8,"ttl":1000000000,"owner":"s"}`: &Entry{
			Key: "web/a", Revision: 8, TTL: time.Second, Owner: "s"},
		`{"key":"web/port","old":null,"new":{"key":"web/port","value":"ODA=","revision":7},"revision":9,"more":true}`: &Change{
			Key: "web/port", New: &entry, Revision: 9, More: true},
		`{"revision":7,"epoch":{"number":3,"authority":"ab01000000000000"},"time":"1970-01-01T00:00:01Z","author":"me",` +
			`"ops":[{"key":"web/port","value":"ODA="},{"key":"web/x","delete":true}]}`: &Record{
			Revision: 7, Epoch: epoch, Time: time.Unix(1, 0).UTC(), Author: "me",
			Ops: []Op{{Key: "web/port", Value: []byte("80")}, {Key: "web/x", Delete: true}}},
		`{"conditions":[{"key":"web/x","revision":0}],"ops":[{"key":"web/x"}]}`: &Transaction{
			Conditions: []Condition{{Key: "web/x"}}, Ops: []Op{{Key: "web/x"}}},
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
		back := reflect.New(reflect.TypeOf(value).Elem()).Interface()
		if err := json.Unmarshal(got, back); err != nil || !reflect.DeepEqual(back, value) {
			t.Errorf("%s comes back as %+v, %v", got, back, err)
		}
	}
	if json.Unmarshal([]byte(`{"authority":"ab"}`), new(Epoch)) == nil {
		t.Error("half an authority was taken for one")
	}
}
