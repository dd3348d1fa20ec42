// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math/rand/v2"
	"reflect"
	"time"
)

// randomMessages returns one message of each kind, filled in at random but within all bounds.
func randomMessages(seed uint64) []Message {
	random := rand.New(rand.NewPCG(seed, 1))
	var all []Message
	for k := range 256 {
		if m := newMessage(kind(k)); m != nil {
			fill(random, reflect.ValueOf(m).Elem())
			all = append(all, m)
		}
	}
	return all
}

// fill sets a value of any type that messages have.
func fill(random *rand.Rand, v reflect.Value) {
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		if *to = (time.Time{}); random.IntN(4) > 0 {
			*to = time.Unix(0, int64(random.Uint64())).UTC()
		}
		return
	case *time.Duration:
		*to = time.Duration(random.Uint64() >> 1 >> random.IntN(64))
		return
	case *Role:
		*to = Role(1 + random.IntN(int(RoleStandby)))
		return
	case *Code:
		*to = Code(1 + random.IntN(int(CodeStranger)))
		return
	}
	switch v.Kind() {
	case reflect.Uint64:
		v.SetUint(random.Uint64() >> random.IntN(64))
	case reflect.Uint8:
		v.SetUint(random.Uint64N(256))
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 1)
	case reflect.String:
		text := make([]byte, random.IntN(64))
		for i := range text {
			text[i] = "abc/-.\x00\xff"[random.IntN(8)]
		}
		v.SetString(string(text))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Slice:
		if length := random.IntN(4); length > 0 {
			v.Set(reflect.MakeSlice(v.Type(), length, length))
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(random, v.Field(i))
			}
		}
		if version := v.FieldByName("Version"); version.IsValid() {
			version.SetUint(Version)
		}
	default:
		panic("no way to fill " + v.Type().String())
	}
}
