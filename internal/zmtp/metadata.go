// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"encoding/binary"
	"strconv"
	"strings"
)

const (
	propertySocketType = "Socket-Type"
	propertyIdentity   = "Identity"

	propertyValueSizeBytes = 4
)

// Property is one name and value of the metadata that peers exchange in their
// handshake. Names compare without case.
type Property struct {
	Name  string
	Value []byte
}

// AppendProperty appends one property. The name has 1 to 255 letters, digits
// and characters of "-_.+".
func AppendProperty(dst []byte, name string, value []byte) []byte {
	dst = append(dst, byte(len(name)))
	dst = append(dst, name...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}

// ParseMetadata reads properties until b ends. Values point into b. It refuses
// a name that occurs twice: which of the values counts would depend on the
// reader.
func ParseMetadata(b []byte) ([]Property, error) {
	var properties []Property
	for len(b) > 0 {
		if len(properties) == PropertiesMax {
			return nil, &Error{MalformedMetadata, "more than " + strconv.Itoa(PropertiesMax) + " properties"}
		}
		property, n, err := parseProperty(b)
		if err != nil {
			return nil, err
		}
		if _, found := findProperty(properties, property.Name); found {
			return nil, &Error{MalformedMetadata, "property " + quote([]byte(property.Name)) + " occurs twice"}
		}
		properties = append(properties, property)
		b = b[n:]
	}
	return properties, nil
}

// parseProperty reads the property at the start of b, which is not empty, and
// says how many bytes it takes.
func parseProperty(b []byte) (property Property, n int, err error) {
	nameBytes := int(b[0])
	if nameBytes == 0 {
		return Property{}, 0, &Error{MalformedMetadata, "empty property name"}
	}
	valueAt := 1 + nameBytes + propertyValueSizeBytes
	if valueAt > len(b) {
		return Property{}, 0, &Error{MalformedMetadata, "property cut off"}
	}
	name := b[1 : 1+nameBytes]
	if !propertyNameLegal(name) {
		return Property{}, 0, &Error{MalformedMetadata, "property name " + quote(name)}
	}
	valueBytes := binary.BigEndian.Uint32(b[1+nameBytes:])
	if valueBytes > propertyValueBytesMax || int(valueBytes) > len(b)-valueAt {
		return Property{}, 0, &Error{MalformedMetadata, "property " + quote(name) + " cut off"}
	}
	n = valueAt + int(valueBytes)
	return Property{Name: string(name), Value: b[valueAt:n:n]}, n, nil
}

// propertyNameLegal follows the grammar of RFC 23, The NULL Security
// Mechanism.
func propertyNameLegal(name []byte) bool {
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '+':
		default:
			return false
		}
	}
	return true
}

func findProperty(properties []Property, name string) (value []byte, found bool) {
	for _, property := range properties {
		if strings.EqualFold(property.Name, name) {
			return property.Value, true
		}
	}
	return nil, false
}
