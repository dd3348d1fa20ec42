// SPDX-License-Identifier: Apache-2.0

//go:build !cgo || noczmq

package main

func goczmq() library { return library{} }
