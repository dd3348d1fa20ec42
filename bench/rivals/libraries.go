// SPDX-License-Identifier: Apache-2.0

package main

// libraries are those that this build has. What a build lacks is the zero value.
func libraries() map[string]library {
	built := map[string]library{}
	for name, library := range map[string]library{"zeromq": zeromq(), "pebbe": pebbe(), "goczmq": goczmq()} {
		if library.push != nil {
			built[name] = library
		}
	}
	return built
}
