// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// described lists the fields of a struct the way the tables of the documentation do.
func described(of reflect.Type) string {
	var fields []string
	for i := range of.NumField() {
		field := of.Field(i)
		if !field.IsExported() {
			continue // it does not travel
		}
		if field.Anonymous {
			fields = append(fields, described(field.Type))
			continue
		}
		fields = append(fields, field.Name+" "+notation(field.Type))
	}
	return strings.Join(fields, ", ")
}

func notation(of reflect.Type) string {
	switch of {
	case reflect.TypeFor[time.Duration]():
		return "d"
	case reflect.TypeFor[time.Time]():
		return "t"
	case reflect.TypeFor[model.AuthorityID]():
		return "id"
	case reflect.TypeFor[[]byte]():
		return "o"
	case reflect.TypeFor[model.Epoch](), reflect.TypeFor[model.Digest](), reflect.TypeFor[Role](), reflect.TypeFor[Code]():
		return strings.ToLower(of.Name())
	}
	switch of.Kind() {
	case reflect.Uint64:
		return "n"
	case reflect.Slice:
		return "[" + notation(of.Elem()) + "]"
	case reflect.Pointer:
		return notation(of.Elem())
	case reflect.Struct:
		return of.Name()
	}
	return of.Kind().String()[:1]
}

// TestDocumentation shows that the tables of the documentation are those of the code, which the golden octets pin.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	doc := regexp.MustCompile(`,\n//\t +`).ReplaceAllString(string(text), ", ") // lists of fields that go on
	line := func(want string) {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), " ~ ", " +")
		if !regexp.MustCompile(`(?m)^//\t *` + pattern + `$`).MatchString(doc) {
			t.Errorf("doc.go has no line %q", want)
		}
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[model.Head](), reflect.TypeFor[model.Entry](), reflect.TypeFor[model.Op](), reflect.TypeFor[model.Condition](),
		reflect.TypeFor[model.Record](), reflect.TypeFor[Node](),
	} {
		line(of.Name() + " ~ " + described(of))
	}
	for _, m := range randomMessages(0) {
		direction := map[kind]string{0: "client to authority", 1: "authority to client", 2: "published", 3: "authority to authority"}
		of := reflect.TypeOf(m).Elem()
		row := fmt.Sprintf("%d %s ~ %s ~ %s", m.kind(), of.Name(), direction[m.kind()/32], described(of))
		line(strings.TrimSuffix(row, " ~ "))
	}
}
