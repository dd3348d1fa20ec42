// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// decoder fills Go values from a state. It stops at the first error, which names the key.
type decoder struct {
	state *model.State
	err   error
}

// field is how a struct's field is found below the struct's path.
type field struct {
	names  []string // to be tried in this order; none: the field is left out
	inline bool     // its own fields are at the level of the struct
	json   bool
}

func fieldOf(f reflect.StructField) field {
	tag, tagged := f.Tag.Lookup("config")
	name, option, _ := strings.Cut(tag, ",")
	switch {
	case name == "-", !f.IsExported() && !f.Anonymous:
		return field{}
	case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct && !isSingle(f.Type):
		return field{inline: true}
	case !f.IsExported():
		return field{}
	case name == "":
		return field{names: slices.Compact([]string{strings.ToLower(f.Name), hyphened(f.Name)}), json: option == "json"}
	}
	return field{names: []string{name}, json: option == "json"}
}

// hyphened makes max-conns of MaxConns, and http-port of HTTPPort.
func hyphened(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// isSingle says whether a type is decoded from the value of one key.
func isSingle(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct:
		return false
	case reflect.Map:
		return t.Key().Kind() != reflect.String
	case reflect.Pointer:
		return isSingle(t.Elem())
	}
	return true
}

// checkType finds types that no value can be decoded into, before one has to be. above are types on the way, which may recur.
func checkType(t reflect.Type, above []reflect.Type) error {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer, reflect.Uintptr:
		return fmt.Errorf("config: no value can be decoded into a %v", t)
	}
	if slices.Contains(above, t) || t.Kind() != reflect.Pointer && isSingle(t) {
		return nil
	}
	above = append(above, t)
	if t.Kind() != reflect.Struct {
		return checkType(t.Elem(), above)
	}
	for i := range t.NumField() {
		f := fieldOf(t.Field(i))
		if (len(f.names) > 0 || f.inline) && !f.json {
			if err := checkType(t.Field(i).Type, above); err != nil {
				return fmt.Errorf("%w, field %s", err, t.Field(i).Name)
			}
		}
	}
	return nil
}

// tree fills a struct or a map from what is below a path that ends with a slash.
func (d *decoder) tree(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		if d.any(path) {
			v.Set(reflect.New(v.Type().Elem()))
			d.tree(v.Elem(), path)
		}
	case reflect.Map:
		d.names(v, path)
	default:
		for i := range v.NumField() {
			d.field(v.Field(i), fieldOf(v.Type().Field(i)), path)
		}
	}
}

func (d *decoder) field(v reflect.Value, f field, path string) {
	if f.inline {
		d.tree(v, path)
		return
	}
	for _, name := range f.names {
		switch _, found := d.state.Get(path + name); {
		case f.json && found:
			d.json(v, path+name)
			return
		case f.json:
		case isSingle(v.Type()) && found:
			d.single(v, path+name)
			return
		case !isSingle(v.Type()) && d.any(path+name+"/"):
			d.tree(v, path+name+"/")
			return
		}
	}
}

// names fills a map with an element for each name below a path.
func (d *decoder) names(v reflect.Value, path string) {
	elem := v.Type().Elem()
	last := ""
	for entry := range d.state.List(path) {
		name, _, isDeeper := strings.Cut(entry.Key[len(path):], "/")
		if isSingle(elem) == isDeeper || isDeeper && name == last {
			continue // it does not fit, or was decoded with its neighbour
		}
		last = name
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		value := reflect.New(elem).Elem()
		if isDeeper {
			d.tree(value, path+name+"/")
		} else {
			d.single(value, entry.Key)
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), value)
	}
}

func (d *decoder) any(prefix string) bool {
	for range d.state.List(prefix) {
		return true
	}
	return false
}

func (d *decoder) fail(key string, err error) {
	if d.err == nil && err != nil {
		d.err = fmt.Errorf("config: value of %q: %w", key, err)
	}
}

func (d *decoder) json(v reflect.Value, key string) {
	entry, _ := d.state.Get(key)
	d.fail(key, json.Unmarshal(entry.Value, v.Addr().Interface()))
}

// single decodes the value of one key, if there is one.
func (d *decoder) single(v reflect.Value, key string) {
	entry, found := d.state.Get(key)
	if !found {
		return
	}
	if text, is := v.Addr().Interface().(encoding.TextUnmarshaler); is {
		d.fail(key, text.UnmarshalText(bytes.Clone(entry.Value)))
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.single(v.Elem(), key)
		return
	}
	if v.Type() == reflect.TypeFor[[]byte]() {
		v.SetBytes(append([]byte{}, entry.Value...))
		return
	}
	d.scalar(v, key, string(entry.Value))
}

func (d *decoder) scalar(v reflect.Value, key, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		d.fail(key, err)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			duration, err := time.ParseDuration(text)
			v.SetInt(int64(duration))
			d.fail(key, err)
			return
		}
		n, err := strconv.ParseInt(text, 0, v.Type().Bits())
		v.SetInt(n)
		d.fail(key, err)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 0, v.Type().Bits())
		v.SetUint(n)
		d.fail(key, err)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(x)
		d.fail(key, err)
	default:
		d.json(v, key)
	}
}
